import { describe, expect, it } from 'vitest'
import { HttpError } from '../errors.ts'
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../limits.ts'
import { HeadReader } from './head-reader.ts'
import { H2RequestHead } from './request-head.ts'

const REQUEST_LINE = [':method', 'GET', ':scheme', 'http', ':authority', 'a.example', ':path', '/']

/** The pseudo-header fields of a request with some of them replaced; '' removes one. */
function line(changes: Readonly<Record<string, string>>): string[] {
  const made: string[] = []
  for (let i = 0; i < REQUEST_LINE.length; i += 2) {
    const value = changes[REQUEST_LINE[i]!] ?? REQUEST_LINE[i + 1]!
    if (value !== '') made.push(REQUEST_LINE[i]!, value)
  }
  return made
}

function read(raw: readonly string[], limits: Partial<HeadLimits> = {}, hasBody = false) {
  const head = new H2RequestHead()
  new HeadReader({ ...DEFAULT_HEAD_LIMITS, ...limits }).read(head, raw, hasBody)
  return head
}

function refused(raw: readonly string[], limits: Partial<HeadLimits> = {}, hasBody = false) {
  const head = new H2RequestHead()
  try {
    new HeadReader({ ...DEFAULT_HEAD_LIMITS, ...limits }).read(head, raw, hasBody)
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return { status: error.status, code: error.code, line: head.requestLine() }
  }
  throw new Error('not refused')
}

function fieldsOf(head: H2RequestHead): string[] {
  return head.names.map((name, index) => `${name.lower}: ${head.value(index)}`)
}

describe('a head of HTTP/2', () => {
  it('is found by offsets, as in HTTP/1.x', () => {
    const head = read([...line({ ':path': '/a%20b?x=1?y' }), 'accept', '*/*', 'x-name', '\xe9 b'])
    expect(head.method).toBe('GET')
    expect(head.target).toBe('/a%20b?x=1?y')
    expect(head.bytes.toString('latin1', head.pathStart, head.pathEnd)).toBe('/a%20b')
    expect(head.bytes.toString('latin1', head.queryStart, head.queryEnd)).toBe('x=1?y')
    expect(head.hasQuery).toBe(true)
    expect(head.hasAuthority).toBe(true)
    expect(head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)).toBe('a.example')
    expect(head.requestLine()).toBe('GET /a%20b?x=1?y HTTP/2.0')
    expect(fieldsOf(head)).toEqual(['accept: */*', 'x-name: \xe9 b'])
    expect(head.get('x-name')).toBe('\xe9 b')
    expect(head.get('x-other')).toBeUndefined()
    expect(head.host).toBe(-1)
    expect(head.hasBody).toBe(false)
  })

  it('may have its authority in Host, or in both', () => {
    const host = read([...line({ ':authority': '' }), 'host', 'b.example:80'])
    expect(host.hasAuthority).toBe(false)
    expect(host.host).toBe(0)
    const both = read([...REQUEST_LINE, 'host', 'A.Example'])
    expect(both.hasAuthority).toBe(true)
    expect(both.host).toBe(0)
  })

  it('joins the parts of a Cookie, and the values of other fields', () => {
    const cookies = ['cookie', 'a=1', 'x', '1', 'cookie', 'b=2', 'x', '2', 'cookie', 'c=3']
    const head = read([...REQUEST_LINE, ...cookies])
    expect(head.get('cookie')).toBe('a=1; b=2; c=3')
    expect(head.get('x')).toBe('1, 2')
    expect(head.fieldCount).toBe(3)
  })

  it('has a body unless the client has ended its side', () => {
    expect(read(REQUEST_LINE, {}, true).hasBody).toBe(true)
    const head = read([...REQUEST_LINE, 'content-length', '5', 'expect', '100-Continue'], {}, true)
    expect(head.contentLength).toBe(5)
    expect(head.expectContinue).toBe(true)
    expect(read([...REQUEST_LINE, 'expect', '100-continue']).expectContinue).toBe(false)
  })

  it('may be a CONNECT, or OPTIONS for the whole server', () => {
    const connect = read([':method', 'CONNECT', ':authority', 'a.example:443'])
    expect(connect.targetForm).toBe('authority')
    expect(connect.target).toBe('a.example:443')
    expect(connect.hasBody).toBe(false)
    expect(read(line({ ':method': 'OPTIONS', ':path': '*' })).targetForm).toBe('asterisk')
  })

  it('loses fields with underscores, or is refused, as header_map says', () => {
    const raw = [...REQUEST_LINE, 'x_a', '1', 'x-b', '2']
    expect(fieldsOf(read(raw))).toEqual(['x-b: 2'])
    expect(fieldsOf(read(raw, { headerMap: 'dangerous' }))).toEqual(['x_a: 1', 'x-b: 2'])
    expect(refused(raw, { headerMap: 'refuse' }).code).toBe('underscore-in-field-name')
    const forged = [...REQUEST_LINE, 'content_length', '1']
    expect(refused(forged, { headerMap: 'dangerous' }).code).toBe('underscore-in-field-name')
  })

  it('expects the names of the request before, and finds others all the same', () => {
    const reader = new HeadReader(DEFAULT_HEAD_LIMITS)
    const names = (...fields: string[]) => {
      const head = new H2RequestHead()
      reader.read(head, [...REQUEST_LINE, ...fields], false)
      return fieldsOf(head)
    }
    expect(names('accept', '1', 'x-own', '2')).toEqual(['accept: 1', 'x-own: 2'])
    expect(names('accept', '3', 'x-own', '4')).toEqual(['accept: 3', 'x-own: 4'])
    expect(names('x-own', '5', 'x_', '0', 'accept', '6')).toEqual(['x-own: 5', 'accept: 6'])
  })

  // nghttp2 refuses many of these before; they must not depend on it.
  const cases: readonly [string, readonly string[], number, string][] = [
    ['without a method', line({ ':method': '' }), 400, 'bad-method'],
    ['with a method that is no token', line({ ':method': 'G T' }), 400, 'bad-method'],
    ['without a path', line({ ':path': '' }), 400, 'bad-target'],
    ['with an absolute path', line({ ':path': 'http://b/' }), 400, 'bad-target'],
    ['with a fragment', line({ ':path': '/a#b' }), 400, 'bad-target'],
    ['with a space in the path', line({ ':path': '/a b' }), 400, 'bad-target'],
    ['with a line end in the path', line({ ':path': '/a\r\nX: 1' }), 400, 'bad-target'],
    ['with * for a GET', line({ ':path': '*' }), 400, 'bad-target'],
    ['with another scheme', line({ ':scheme': 'ftp' }), 400, 'bad-scheme'],
    ['without a scheme', line({ ':scheme': '' }), 400, 'bad-scheme'],
    ['without a host', line({ ':authority': '' }), 400, 'no-host'],
    ['with a user in the authority', line({ ':authority': 'u@a' }), 400, 'bad-host'],
    ['with an empty host', line({ ':authority': ':80' }), 400, 'bad-host'],
    ['with a bad Host', [...line({ ':authority': '' }), 'host', 'a b'], 400, 'bad-host'],
    ['with two hosts', [...REQUEST_LINE, 'host', 'b.example'], 400, 'two-hosts'],
    [
      'with Host twice',
      [...REQUEST_LINE, 'host', 'a.example', 'host', 'a.example'],
      400,
      'two-hosts',
    ],
    ['with a bad length', [...REQUEST_LINE, 'content-length', '+1'], 400, 'bad-content-length'],
    [
      'with two lengths',
      [...REQUEST_LINE, 'content-length', '1', 'content-length', '1'],
      400,
      'two-content-lengths',
    ],
    [
      'with two types',
      [...REQUEST_LINE, 'content-type', 'a/b', 'content-type', 'a/b'],
      400,
      'two-content-types',
    ],
    ['with Connection', [...REQUEST_LINE, 'connection', 'close'], 400, 'connection-field'],
    ['with Upgrade', [...REQUEST_LINE, 'upgrade', 'h2c'], 400, 'connection-field'],
    [
      'with Transfer-Encoding',
      [...REQUEST_LINE, 'transfer-encoding', 'chunked'],
      400,
      'connection-field',
    ],
    ['with Proxy-Connection', [...REQUEST_LINE, 'proxy-connection', 'x'], 400, 'connection-field'],
    ['with Keep-Alive', [...REQUEST_LINE, 'keep-alive', 'x'], 400, 'connection-field'],
    ['with TE for more than trailers', [...REQUEST_LINE, 'te', 'gzip'], 400, 'connection-field'],
    ['with an upper-case name', [...REQUEST_LINE, 'X-A', '1'], 400, 'bad-field-name'],
    ['with a space in a name', [...REQUEST_LINE, 'x a', '1'], 400, 'bad-field-name'],
    ['with an empty name', [...REQUEST_LINE, '', '1'], 400, 'bad-field-name'],
    ['with a line end in a value', [...REQUEST_LINE, 'x', 'a\r\nb: c'], 400, 'bad-field-value'],
    ['with NUL in a value', [...REQUEST_LINE, 'x', 'a\0'], 400, 'bad-field-value'],
    ['with white space around a value', [...REQUEST_LINE, 'x', ' a'], 400, 'bad-field-value'],
    [
      'with a late pseudo-header field',
      [...REQUEST_LINE, 'x', '1', ':path', '/'],
      400,
      'bad-field-name',
    ],
    ['with an unknown pseudo-header field', [':x', '1', ...REQUEST_LINE], 400, 'bad-pseudo-field'],
    ['with a pseudo-header field twice', [...REQUEST_LINE, ':path', '/b'], 400, 'bad-pseudo-field'],
    [
      'with :protocol (RFC 8441)',
      [...REQUEST_LINE, ':protocol', 'websocket'],
      501,
      'extended-connect',
    ],
    ['with an unknown expectation', [...REQUEST_LINE, 'expect', 'tea'], 417, 'unknown-expectation'],
    ['that asks for a tunnel nowhere', [':method', 'CONNECT'], 400, 'no-host'],
    [
      'that asks for a tunnel without a port',
      [':method', 'CONNECT', ':authority', 'a'],
      400,
      'bad-host',
    ],
  ]
  it.each(cases)('is refused %s', (_what, raw, status, code) => {
    expect(refused(raw)).toMatchObject({ status, code })
  })

  it('has the limits of HTTP/1.x', () => {
    const long = line({ ':path': `/${'a'.repeat(100)}` })
    expect(read(long, { requestLine: 114 }).target.length).toBe(101)
    expect(refused(long, { requestLine: 113 })).toMatchObject({
      status: 414,
      code: 'request-line-too-long',
      line: expect.stringMatching(/^GET \/aaa/),
    })
    const field = [...REQUEST_LINE, 'x-a', 'b'.repeat(93)]
    expect(read(field, { fieldSize: 100 }).fieldCount).toBe(1)
    expect(refused(field, { fieldSize: 99 })).toMatchObject({
      status: 431,
      code: 'field-too-long',
      line: 'GET / HTTP/2.0',
    })
    const many = [...REQUEST_LINE, 'a', '1', 'b', '2', 'c', '3']
    expect(read(many, { fields: 3 }).fieldCount).toBe(3)
    expect(refused(many, { fields: 2 })).toMatchObject({ status: 431, code: 'too-many-fields' })
    expect(refused(many, { head: 40 })).toMatchObject({ status: 431, code: 'head-too-large' })
  })

  it('counts a Cookie in parts as one field', () => {
    const parts = Array.from({ length: 300 }, (_, i) => ['cookie', `c${i}=1`]).flat()
    expect(read([...REQUEST_LINE, ...parts], { fields: 1 }).fieldCount).toBe(1)
    expect(refused([...REQUEST_LINE, ...parts], { fieldSize: 100 }).code).toBe('field-too-long')
    expect(refused([...REQUEST_LINE, 'a', '1', ...parts], { fields: 1 }).code).toBe(
      'too-many-fields',
    )
  })
})
