import { describe, expect, test } from 'vitest'
import { checkField, checkHead, isHopByHop } from './head-rules.ts'
import type { WSGIError } from './wsgi-error.ts'

function refusal(status: unknown, headers: unknown): WSGIError {
  try {
    checkHead(status, headers)
  } catch (error) {
    return error as WSGIError
  }
  throw new Error(`${JSON.stringify([status, headers])} was let through`)
}

describe('the status', () => {
  test.each<[string, number]>([
    ['200 OK', 200],
    ['200 ', 200],
    ['204 No Content', 204],
    ['404 Not  Found', 404],
    ["418 I'm a teapot", 418],
    ['599 \xe9\xff', 599],
    ['999 X', 999],
  ])('%j is fine', (status, code) => {
    expect(checkHead(status, [])).toEqual({ status: code, contentLength: -1 })
  })

  test.each<[unknown, RegExp]>([
    [200, /must be a string such as "200 OK", not the number 200/],
    [undefined, /not undefined/],
    [null, /not null/],
    ['', /must be three digits/],
    ['OK', /must be three digits/],
    ['200', /must have a space after its number/],
    ['2000 OK', /must be three digits/],
    ['20 OK', /must be three digits/],
    [' 200 OK', /must be three digits/],
    ['+20 OK', /must be three digits/],
    ['٢٠٠ OK', /beyond latin-1/],
    ['200  OK', /white space around its reason/],
    ['200 OK ', /white space around its reason/],
    ['200  ', /white space around its reason/],
    ['200\tOK', /control character/],
    ['200 O\tK', /control character/],
    ['200 OK\n', /control character/],
    ['200 OK\r\nX: y', /control character/],
    ['200 \0', /control character/],
    ['200 \x7f', /control character/],
    ['101 Switching Protocols', /is not final/],
    ['000 Zero', /is not final/],
    ['200 \u2713', /beyond latin-1/],
  ])('%j is refused', (status, message) => {
    const error = refusal(status, [])
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/^start_response: the status /)
    expect(error.code).toBe('wsgi-violation')
  })
})

describe('the headers', () => {
  test('a value may be empty, and have tabs and any latin-1 character', () => {
    const value = `\t${Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))
      .join('')
      .replace(/[^\x20-\x7e\x80-\xff]/g, '')}`
    expect(() =>
      checkHead('200 OK', [
        ['X-Any', value],
        ['X-Any', ''],
      ]),
    ).not.toThrow()
  })

  test('every control character but the tab is refused in a value, and every separator in a name', () => {
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code)
      const control = (code < 32 && code !== 9) || code === 127
      const inValue = () => checkHead('200 OK', [['X', `a${character}b`]])
      if (control) expect(inValue).toThrow(/the value of X has a control character/)
      else expect(inValue).not.toThrow()
      const inName = () => checkHead('200 OK', [[`X${character}y`, '']])
      if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) expect(inName).not.toThrow()
      else expect(inName).toThrow(/is not a token \(RFC 9110 §5\.1\)/)
    }
  })

  test.each<[unknown, RegExp]>([
    [undefined, /headers must be an array of \[name, value\], not undefined/],
    [{ 'Content-Type': 'text/plain' }, /not an object/],
    [new Map(), /not a Map/],
    [new Headers(), /not a Headers/],
    ['X: y', /not the string "X: y"/],
    [['X: y'], /each header must be an array of a name and a value, not the string/],
    [[['X']], /not an array of 1/],
    [[['X', 'y', 'z']], /not an array of 3/],
    [[undefined], /not undefined/],
    [new Array(1), /not undefined/],
    [[[1, 'x']], /the name of a header must be a string, not the number 1/],
    [[['Content-Length', 5]], /the value of Content-Length must be a string, not the number 5/],
    [[['X', undefined]], /the value of X must be a string, not undefined/],
    [[['X', ['a', 'b']]], /the value of X must be a string, not an Array/],
    [[['', 'x']], /the header name "" is not a token/],
    [[['X:', 'y']], /is not a token/],
    [[['X\u0100', 'y']], /is not a token/],
    [[['X', '\u20ac']], /the value of X has a character beyond latin-1: "€"/],
    [[['X', '\ud83d\ude00']], /beyond latin-1/],
    [[['X', 'a\r\nSet-Cookie: b']], /control character: "a\\r\\nSet-Cookie: b"/],
    [[['Transfer-Encoding', 'chunked']], /Transfer-Encoding is a hop-by-hop header/],
    [[['connection', 'close']], /connection is a hop-by-hop header/],
  ])('%j is refused', (headers, message) => {
    expect(refusal('200 OK', headers).message).toMatch(message)
  })
})

describe('Content-Length', () => {
  test.each(['0', '5', '007', '9007199254740991'])('%j is a length', (value) => {
    expect(checkHead('200 OK', [['content-LENGTH', value]]).contentLength).toBe(Number(value))
  })

  test.each([
    '',
    '-1',
    '+1',
    '1.0',
    '1e3',
    '0x10',
    '1 2',
    '1,1',
    ' 5',
    '5 ',
    '5\xa0',
    '\t5',
    'five',
    '9007199254740992',
  ])('%j is refused', (value) => {
    const error = refusal('200 OK', [['Content-Length', value]])
    expect(error.message).toMatch(/is not a number of bytes/)
    expect(error.rule).toBe('Handling the Content-Length Header')
  })

  test('twice is refused, also when both say the same', () => {
    expect(
      refusal('200 OK', [
        ['Content-Length', '5'],
        ['content-length', '5'],
      ]).message,
    ).toMatch(/given twice/)
  })
})

test('the same headers are hop-by-hop as in Python workers, in any case', () => {
  const names = [
    'Connection',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
  ]
  for (const name of [...names, 'Trailers', 'Transfer-Encoding', 'Upgrade']) {
    for (const written of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(isHopByHop(written)).toBe(true)
      expect(refusal('200 OK', [[written, 'x']]).rule).toBe('Other HTTP Features')
    }
  }
  for (const name of ['Content-Length', 'Date', 'Server', 'Via', 'WWW-Authenticate', '']) {
    expect(isHopByHop(name)).toBe(false)
  }
})

test('a field by itself may be hop-by-hop', () => {
  expect(() => checkField('Connection', 'close')).not.toThrow()
  expect(() => checkField('X', 'a\nb', 'Here: ')).toThrow(
    /^Here: the value of X has a control character/,
  )
})
