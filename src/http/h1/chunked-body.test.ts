import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Reading, readAtEverySplit } from '../../../tests/e2e/http-differential/reading.ts'
import { Span } from '../../bytes/span.ts'
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../limits.ts'
import { CHUNK_EXTENSION_BYTES, ChunkedBody } from './chunked-body.ts'

const HEAD = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

function read(body: string, limits: Partial<HeadLimits> = {}): Reading {
  return readAtEverySplit(Buffer.from(HEAD + body, 'latin1'), { ...DEFAULT_HEAD_LIMITS, ...limits })
}

/** The body that `text` carries; all of `text` must be it. */
function accepted(text: string, limits: Partial<HeadLimits> = {}): string {
  // Another request behind it shows that it ends where it should.
  const { refusal, requests } = read(`${text}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`, limits)
  expect(refusal).toBeNull()
  expect(requests.map(({ target }) => target)).toEqual(['/', '/next'])
  return requests[0]!.body
}

function refused(text: string, limits: Partial<HeadLimits> = {}): [status: number, code: string] {
  const { refusal, requests } = read(text, limits)
  expect(refusal, 'was not refused').not.toBeNull()
  expect(requests[0]!.complete).toBe(false)
  expect(refusal!.message).toMatch(/^[\x20-\x7e…]{1,300}$/)
  return [refusal!.status, refusal!.code]
}

describe('a chunked body', () => {
  it('is put together from its chunks', () => {
    expect(accepted('5\r\nhello\r\n0\r\n\r\n')).toBe('hello')
    expect(accepted('1\r\na\r\n2\r\nbc\r\n00\r\n\r\n')).toBe('abc')
    expect(accepted('0\r\n\r\n')).toBe('')
  })

  it('may have sizes in either case and with leading zeros', () => {
    const data = 'x'.repeat(0xab)
    expect(accepted(`aB\r\n${data}\r\n0\r\n\r\n`)).toBe(data)
    expect(accepted(`00000000000000ab\r\n${data}\r\n0000000000000000\r\n\r\n`)).toBe(data)
  })

  it('may contain anything, CRLF and what looks like chunks included', () => {
    expect(accepted('9\r\n0\r\n\r\n\0\xff\r\n\r\n0\r\n\r\n')).toBe('0\r\n\r\n\0\xff\r\n')
  })

  it('is handed on as views of what arrived', () => {
    const chunk = Buffer.from('5\r\nhello\r\n')
    const views: Buffer[] = []
    new ChunkedBody(DEFAULT_HEAD_LIMITS).receive(new Span().set(chunk, 0, chunk.length), (data) =>
      views.push(data),
    )
    expect(views).toHaveLength(1)
    expect(views[0]!.buffer).toBe(chunk.buffer)
    expect(views[0]!.byteOffset).toBe(chunk.byteOffset + 3)
  })

  it('is not done before its last byte', () => {
    const text = '1\r\na\r\n0\r\nX: 1\r\n\r\n'
    const body = new ChunkedBody(DEFAULT_HEAD_LIMITS)
    for (const byte of Buffer.from(text)) {
      expect(body.done).toBe(false)
      const span = new Span().set(Buffer.of(byte), 0, 1)
      body.receive(span, () => {})
      expect(span.length).toBe(0)
    }
    expect(body.done).toBe(true)
    const next = new Span().set(Buffer.from('GET'), 0, 3)
    body.receive(next, () => {})
    expect(next.length).toBe(3)
  })
})

describe('a chunk size', () => {
  it.each([
    ['a plus sign', '+5\r\nhello\r\n'],
    ['a minus sign', '-5\r\nhello\r\n'],
    ['a hexadecimal prefix', '0x5\r\nhello\r\n'],
    ['a space before it', ' 5\r\nhello\r\n'],
    ['a space after it', '5 \r\nhello\r\n'],
    ['white space and a letter after it', '5 \tx\r\nhello\r\n'],
    ['white space and an equals sign after it', '5 =a\r\nhello\r\n'],
    ['white space and more digits after it', '5 0\r\nhello\r\n'],
    ['a tab after it', '5\t\r\nhello\r\n'],
    ['an underscore', '1_0\r\n'],
    ['a letter beyond f', '5g\r\n'],
    ['no digits', '\r\nhello\r\n'],
    ['no digits but an extension', ';a\r\nhello\r\n'],
    ['a comma', '5,5\r\nhello\r\n'],
    ['an h', '5h\r\nhello\r\n'],
    ['a NUL', '5\0\r\nhello\r\n'],
    ['an 8-bit digit', '\xb2\r\n'],
  ])('with %s is refused', (_, text) => {
    expect(refused(text)).toEqual([400, 'bad-chunk-size'])
  })

  it('up to 2^53 - 1 is counted, a larger one is refused', () => {
    expect(read('1fffffffffffff\r\nabc').refusal).toBeNull()
    expect(refused('20000000000000\r\n')).toEqual([400, 'chunk-size-too-large'])
    expect(refused('ffffffffffffffff\r\n')).toEqual([400, 'chunk-size-too-large'])
    expect(refused('10000000000000005\r\nhello')).toEqual([400, 'chunk-size-too-large'])
  })

  it('of more than 16 digits is refused, though they be zeros', () => {
    expect(refused('00000000000000005\r\nhello')).toEqual([400, 'chunk-size-too-large'])
  })

  it('ends with CRLF, nothing less', () => {
    expect(refused('5\nhello\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('5\rhello\r\n')).toEqual([400, 'bare-cr'])
    expect(refused('5\r\r\nhello\r\n')).toEqual([400, 'bare-cr'])
    expect(refused('0\n\n')).toEqual([400, 'bare-lf'])
  })
})

describe('the data of a chunk', () => {
  it('is followed by CRLF, nothing else', () => {
    expect(refused('5\r\nhello\n0\r\n\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('5\r\nhello\rX')).toEqual([400, 'bare-cr'])
    expect(refused('5\r\nhello!\r\n')).toEqual([400, 'bad-chunk-end'])
    expect(refused('5\r\nhello0\r\n\r\n')).toEqual([400, 'bad-chunk-end'])
    expect(refused('6\r\nhello\r\n0\r\n\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('4\r\nhello\r\n0\r\n\r\n')).toEqual([400, 'bad-chunk-end'])
  })
})

describe('chunk extensions', () => {
  it('are dropped when they are well formed', () => {
    for (const extension of [';a', ';a=b', ';a;b=c', ';a="b c;\\"\t\xff"', ';a="";b']) {
      expect(accepted(`1${extension}\r\nz\r\n0${extension}\r\n\r\n`)).toBe('z')
    }
  })

  // RFC 9112 §7.1.1, RFC 9110 §5.6.3: it has to be parsed and removed.
  it.each([
    ' ;a',
    '\t;a',
    '; a',
    ';\t a',
    ';a =b',
    ';a= b',
    ';a \t = \t b',
    ' ; a = "b c" ; d ;e\t=f',
    ';a="b" ;c',
    ';a ;b',
  ])('may have white space around ";" and "=", as in "%s"', (extension) => {
    expect(accepted(`1${extension}\r\nz\r\n0${extension}\r\n\r\n`)).toBe('z')
  })

  it.each([
    ';',
    '; ',
    ' ; ;a',
    ';;a',
    ';a b',
    ';a = ',
    ';a= ;b',
    ';a=b c',
    ';a="b" c',
    ';a="b" =c',
    ';a\x0b=b',
    ';a=\xa0b',
    ';a=',
    ';=b',
    ';a="b',
    ';a="b"c',
    ';a=b"c"',
    ';a="b\0"',
    ';a="b\\\x7f"',
    ';a=\xff',
    ';a\0',
    ';a ',
    ';a="b" ',
    ';a=b=c',
    ';a\t',
  ])('like "%s" are refused', (extension) => {
    expect(refused(`1${extension}\r\nz\r\n0\r\n\r\n`)).toEqual([400, 'bad-chunk-extension'])
  })

  it('with a bare LF or CR are refused, in quotes too', () => {
    expect(refused('1;a\nz\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('1;a=b\nz\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('1;a\rz\r\n')).toEqual([400, 'bare-cr'])
    expect(refused('1;a="\nb"\r\nz\r\n')).toEqual([400, 'bad-chunk-extension'])
    expect(refused('1;a="\r\nb"\r\nz\r\n')).toEqual([400, 'bad-chunk-extension'])
    expect(refused('1;a="\\\nb"\r\nz\r\n')).toEqual([400, 'bad-chunk-extension'])
  })

  it('are bounded over the whole body, not for each chunk', () => {
    const half = `1;${'a'.repeat(CHUNK_EXTENSION_BYTES / 2 - 1)}\r\nz\r\n`
    expect(accepted(`${half}${half}0\r\n\r\n`)).toBe('zz')
    expect(refused(`${half}${half}0;a\r\n\r\n`)).toEqual([400, 'chunk-extensions-too-long'])
    expect(refused(`1;a="${'\\a'.repeat(CHUNK_EXTENSION_BYTES)}`)).toEqual([
      400,
      'chunk-extensions-too-long',
    ])
    expect(refused(`1${';a=b'.repeat(CHUNK_EXTENSION_BYTES)}`)).toEqual([
      400,
      'chunk-extensions-too-long',
    ])
  })

  it('are bounded with their white space', () => {
    const spaces = ' \t'.repeat(CHUNK_EXTENSION_BYTES / 2 + 1)
    for (const start of ['1', '1;', '1;a', '1;a=', '1;a=b', '1;a="b"']) {
      expect(refused(start + spaces)).toEqual([400, 'chunk-extensions-too-long'])
    }
    const half = `1${' '.repeat(CHUNK_EXTENSION_BYTES / 2 - 2)};a\r\nz\r\n`
    expect(accepted(`${half}${half}0\r\n\r\n`)).toBe('zz')
    expect(refused(`${half}${half}0 `)).toEqual([400, 'chunk-extensions-too-long'])
  })
})

describe('the trailer section', () => {
  it('is dropped when it is well formed', () => {
    expect(accepted('1\r\nz\r\n0\r\nX-Sum: \t1\xff \r\nY:\r\n\r\n')).toBe('z')
  })

  it.each([
    ['a space before the colon', 'X : b\r\n\r\n', 'space-before-colon'],
    ['no colon', 'X\r\n\r\n', 'no-colon'],
    ['no name', ': b\r\n\r\n', 'empty-field-name'],
    ['a bad name', 'X(: b\r\n\r\n', 'bad-field-name'],
    ['a continuation line', 'X: b\r\n c\r\n\r\n', 'obs-fold'],
    ['a continuation line at once', ' c\r\n\r\n', 'obs-fold'],
    ['a NUL in a value', 'X: b\0\r\n\r\n', 'bad-field-value'],
    ['an LF for CRLF after a field', 'X: b\n\r\n', 'bare-lf'],
    ['an LF in a name', 'X\n: b\r\n', 'bare-lf'],
    ['a CR in a value', 'X: b\rc\r\n', 'bare-cr'],
    ['an LF at its end', '\n', 'bare-lf'],
    ['a CR at its end', '\rX', 'bare-cr'],
    ['a request instead of its end', 'GET / HTTP/1.1\r\n', 'space-before-colon'],
  ])('with %s is refused', (_, text, code) => {
    expect(refused(`1\r\nz\r\n0\r\n${text}`)).toEqual([400, code])
  })

  // RFC 9110 §6.5.1: they must not stand there; who ignores them must not merge them into the head.
  it.each([
    'Content-Length: 5',
    'Content-Length: x',
    'transfer-encoding: chunked',
    'HOST: b',
    'Connection: close',
    'Proxy-Connection: close',
    'Upgrade: h2c',
    'Expect: 100-continue',
    'Authorization: x',
    'Content-Type: text/html',
  ])('with "%s" is dropped as any other', (field) => {
    const { requests, refusal } = read(
      `1\r\nz\r\n0\r\n${field}\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n`,
    )
    expect(refusal).toBeNull()
    expect(requests.map(({ target }) => target)).toEqual(['/', '/next'])
    const [plain] = read('1\r\nz\r\n0\r\n\r\n').requests
    expect({ ...requests[0], end: 0 }).toEqual({ ...plain, end: 0 })
  })

  it('keeps the limits of a head', () => {
    const line = 'X-Name: value\r\n'
    expect(accepted(`0\r\n${line}\r\n`, { fieldSize: 28 })).toBe('')
    const tight = { fieldSize: 28, fields: 3 }
    expect(accepted(`0\r\n${line.repeat(3)}\r\n`, tight)).toBe('')
    expect(refused(`0\r\n${line.repeat(3)}X`, tight)).toEqual([431, 'too-many-fields'])
    expect(accepted(`0\r\nX: ${'a'.repeat(23)}\r\n\r\n`, tight)).toBe('')
    expect(refused(`0\r\nX: ${'a'.repeat(24)}`, tight)).toEqual([431, 'field-too-long'])
    expect(refused(`0\r\n${'a'.repeat(27)}`, tight)).toEqual([431, 'field-too-long'])
  })

  it('as a whole is no larger than a head may be', () => {
    const line = 'X-Name: value\r\n'
    const section = `${line.repeat(3)}\r\n`
    expect(accepted(`0\r\n${section}`, { head: Math.max(section.length, HEAD.length) })).toBe('')
    const head = HEAD.length
    const more = `X: ${'a'.repeat(head - 7)}\r\n\r\n`
    expect(more).toHaveLength(head)
    expect(accepted(`0\r\n${more}`, { head })).toBe('')
    expect(refused(`0\r\nX${more}`, { head })).toEqual([431, 'head-too-large'])
    expect(refused(`0\r\n${line.repeat(head)}`, { head })).toEqual([431, 'head-too-large'])
  })

  it('as a whole has a ceiling where there is no limit', () => {
    const line = `X: ${'a'.repeat(400_000)}\r\n`
    const body = new ChunkedBody({
      requestLine: 0,
      fields: 0,
      fieldSize: 0,
      head: 0,
      headerMap: 'drop',
    })
    const bytes = Buffer.from(`0\r\n${line.repeat(4)}\r\n`)
    expect(() => body.receive(new Span().set(bytes, 0, bytes.length), () => {})).toThrow(
      /larger than 1048576 bytes/,
    )
  })
})

describe('any chunked body', () => {
  const token = fc.string({
    unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"),
    minLength: 1,
    maxLength: 8,
  })
  const quoted = fc
    .string({
      unit: fc.constantFrom(' ', '\t', 'a', ';', '=', '\\\\', '\\"', '\xff'),
      maxLength: 8,
    })
    .map((text) => `"${text}"`)
  const space = fc.constantFrom('', '', '', ' ', '\t', ' \t ')
  const extension = fc
    .tuple(token, fc.option(fc.oneof(token, quoted)), fc.tuple(space, space, space, space))
    .map(([name, value, [a, b, c, d]]) =>
      value === null ? `${a};${b}${name}` : `${a};${b}${name}${c}=${d}${value}`,
    )
  const size = fc.tuple(fc.nat(6), fc.boolean())
  const piece = fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    size,
    extensions: fc.array(extension, { maxLength: 3 }),
  })

  it('means its data, whatever its sizes, extensions and trailers look like', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(token, { maxLength: 4 }),
        (sent, trailers) => {
          const text = sent.map(({ data, size: [zeros, upper], extensions }) => {
            const digits = '0'.repeat(zeros) + data.length.toString(16)
            const bytes = Buffer.from(data).toString('latin1')
            return `${upper ? digits.toUpperCase() : digits}${extensions.join('')}\r\n${bytes}\r\n`
          })
          const section = trailers.map((name) => `X${name}: ${name}\r\n`).join('')
          const all = Buffer.concat(sent.map(({ data }) => Buffer.from(data)))
          expect(accepted(`${text.join('')}0\r\n${section}\r\n`)).toBe(all.toString('latin1'))
        },
      ),
    )
  })
})
