import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Span } from '../bytes/span.ts'
import {
  parseFieldLines,
  parseResponseBlock,
  type ResponseBlock,
  ResponseBlockError,
  ResponseBlocks,
} from './response-block.ts'

function parse(text: string): ResponseBlock {
  // Amid other bytes, as in a frame.
  const bytes = Buffer.from(`9${text}200 OK\r\n`, 'latin1')
  return parseResponseBlock(new Span().set(bytes, 1, 1 + text.length))
}

const refuses = (text: string) =>
  expect(() => parse(text), JSON.stringify(text)).toThrow(ResponseBlockError)

describe('a response block', () => {
  it('is taken as it is, with what frames the message', () => {
    const text = '200 OK\r\nContent-Type: text/html\r\nContent-Length:  12 \r\nX: caf\xe9\r\n'
    expect(parse(text)).toMatchObject({
      status: 200,
      text,
      reason: 'OK',
      fields: [
        ['Content-Type', 'text/html'],
        ['Content-Length', '12'],
        ['X', 'caf\xe9'],
      ],
      contentLength: 12,
      hasDate: false,
      hasServer: false,
    })
    expect(parse('404 \r\n')).toMatchObject({ status: 404, contentLength: -1 })
    expect(parse('200 OK\r\ndate: x\r\nSERVER: y\r\n')).toMatchObject({
      hasDate: true,
      hasServer: true,
    })
    expect(parse('299 Many Words Here\r\nX:\r\nX:y\r\n').status).toBe(299)
  })

  it('has a status of three digits, that of a final response', () => {
    for (const status of [
      '',
      '20',
      '2OO',
      '2000',
      '-20',
      '100 Continue',
      '199 x',
      '200',
      ' 200 OK',
      '200\tOK',
    ]) {
      refuses(status === '' ? '' : `${status}\r\n`)
    }
    expect(parse('999 x\r\n').status).toBe(999)
  })

  it('has tokens for names, and no space around them', () => {
    for (const line of [
      'X y: z',
      ': z',
      'X : z',
      ' X: z',
      'X',
      'X\xe9: z',
      'X(: z',
      '',
      '\r\nX: y',
    ])
      refuses(`200 OK\r\n${line}\r\n`)
  })

  it('ends each line with CR LF, within its bounds', () => {
    for (const text of [
      '200 OK',
      '200 OK\r',
      '200 OK\n',
      '200 OK\r\nX: y',
      '200 OK\r\nX: y\r',
      '200 OK\r\nX',
    ])
      refuses(text)
  })

  it('has one Content-Length at most, of digits', () => {
    for (const value of ['', '-1', '+1', '1,1', '0x10', '1.0', '1e3', '12a', '9007199254740993'])
      refuses(`200 OK\r\nContent-Length: ${value}\r\n`)
    refuses('200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n')
    expect(parse('200 OK\r\nContent-Length: 007\r\n').contentLength).toBe(7)
  })

  it('says nothing about the connection', () => {
    for (const name of [
      'Connection',
      'Keep-Alive',
      'Proxy-Authenticate',
      'Proxy-Authorization',
      'TE',
      'Trailer',
      'Trailers',
      'Transfer-Encoding',
      'Upgrade',
    ]) {
      refuses(`200 OK\r\n${name}: x\r\n`)
      refuses(`200 OK\r\n${name.toLowerCase()}: x\r\n`)
      expect(parse(`200 OK\r\nX-${name}: x\r\n`).status).toBe(200)
    }
  })

  it('has no control character anywhere', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte)
      const isControl = (byte < 0x20 && byte !== 9) || byte === 0x7f
      for (const text of [`200 O${character}K\r\n`, `200 OK\r\nX: a${character}b\r\n`]) {
        if (isControl) refuses(text)
        else expect(parse(text).text).toBe(text)
      }
    }
  })

  it('whatever the bytes, passes only lines that end where they seem to', () => {
    const mutated = fc
      .tuple(
        fc.constant('200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=b\r\n'),
        fc.array(
          fc.tuple(
            fc.nat(60),
            fc.constantFrom('\r', '\n', '\0', '\r\n', '\x0b', ':', ' ', 'a', '\x7f'),
          ),
          {
            maxLength: 4,
          },
        ),
      )
      .map(([text, edits]) =>
        edits.reduce<string>((to, [at, what]) => to.slice(0, at) + what + to.slice(at), text),
      )
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: 'binary-ascii' })), (text) => {
        let head: ResponseBlock
        try {
          head = parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(ResponseBlockError)
          return
        }
        expect(head.text).toBe(text)
        const lines = text.split('\r\n')
        expect(lines.pop()).toBe('')
        expect(lines.shift()).toMatch(/^[2-9]\d\d [\t\x20-\x7e\x80-\xff]*$/)
        for (const line of lines)
          expect(line).toMatch(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the lines of an interim response', () => {
  const lines = (text: string) => {
    const bytes = Buffer.from(`9${text}9`, 'latin1')
    return parseFieldLines(new Span().set(bytes, 1, 1 + text.length))
  }

  it('become fields', () => {
    expect(lines('Link: </a.css>; rel=preload\r\nX:  y \r\n')).toEqual([
      ['Link', '</a.css>; rel=preload'],
      ['X', 'y'],
    ])
    expect(lines('')).toEqual([])
  })

  it('obey the rules of a response, and have no length', () => {
    for (const text of [
      'X: a\rb\r\n',
      'X: a\nb\r\n',
      'X: a\0b\r\n',
      'X: a',
      'X y: a\r\n',
      '\r\n',
      'Connection: close\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 0\r\n',
    ])
      expect(() => lines(text), JSON.stringify(text)).toThrow(ResponseBlockError)
  })
})

describe('response blocks that come again', () => {
  const at = (heads: ResponseBlocks, text: string) => {
    const bytes = Buffer.from(`x${text}y`, 'latin1')
    return heads.parse(new Span().set(bytes, 1, 1 + text.length))
  }

  it('are the same object while others of other lengths come between', () => {
    const heads = new ResponseBlocks()
    const first = at(heads, '200 OK\r\nX: a\r\n')
    at(heads, '404 Not Found\r\nX: a\r\n')
    expect(at(heads, '200 OK\r\nX: a\r\n')).toBe(first)
  })

  it('mean what they would mean alone, whatever came before', () => {
    const value = fc.string({
      unit: fc.constantFrom('a', 'b', '1', ' ', '\n', '\r', '\0', '\xe9'),
      maxLength: 6,
    })
    const name = fc.constantFrom('X', 'Date', 'Content-Length', 'Server', 'Connection')
    const text = fc
      .tuple(
        fc.constantFrom('200 OK', '404 No', '20 OK'),
        fc.array(fc.tuple(name, value), { maxLength: 3 }),
      )
      .map(
        ([status, fields]) => `${status}\r\n${fields.map(([n, v]) => `${n}: ${v}\r\n`).join('')}`,
      )
    const outcome = (parsing: () => ResponseBlock) => {
      try {
        return parsing()
      } catch (error) {
        return (error as Error).message
      }
    }
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 30 }), (texts) => {
        const heads = new ResponseBlocks()
        for (const one of [...texts, ...texts]) {
          expect(outcome(() => at(heads, one))).toEqual(outcome(() => parse(one)))
        }
      }),
    )
  })

  it('are looked at again when they are long', () => {
    const heads = new ResponseBlocks()
    const text = `200 OK\r\nX: ${'a'.repeat(2000)}\r\n`
    expect(at(heads, text)).toEqual(at(heads, text))
    expect(at(heads, text)).not.toBe(at(heads, text))
  })
})
