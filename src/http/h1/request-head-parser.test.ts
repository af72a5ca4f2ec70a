import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Reading,
  readAll,
  readAtEverySplit,
} from '../../../tests/e2e/http-differential/reading.ts'
import { Span } from '../../bytes/span.ts'
import type { FieldName } from '../field-names.ts'
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../limits.ts'
import { expectedNames } from './expected-names.ts'
import { RequestHeadParser } from './request-head-parser.ts'

/** Feeds bytes [start, end); returns how many were taken. */
function feedTo(parser: RequestHeadParser, bytes: Buffer, start: number, end: number): number {
  const span = new Span().set(bytes, start, end)
  parser.feed(span)
  return span.start - start
}

/**
 * Reads latin-1 text whole, byte by byte and at random splits, and makes sure that it comes to the
 * same.
 */
function read(text: string, limits: Partial<HeadLimits> = {}): Reading {
  return readAtEverySplit(Buffer.from(text, 'latin1'), { ...DEFAULT_HEAD_LIMITS, ...limits })
}

/** The one request in `text`. */
function accepted(text: string, limits: Partial<HeadLimits> = {}): Reading['requests'][number] {
  const reading = read(text, limits)
  expect(reading.refusal).toBeNull()
  expect(reading.partialHead).toBe(false)
  expect(reading.requests).toHaveLength(1)
  return reading.requests[0]!
}

/** How `text` is refused: status and code. */
function refused(text: string, limits: Partial<HeadLimits> = {}): [status: number, code: string] {
  const { requests, refusal } = read(text, limits)
  expect(requests).toEqual([])
  expect(refusal, 'was not refused').not.toBeNull()
  // One line, nothing in it that a terminal or a log reader would act upon.
  expect(refusal!.message).toMatch(/^[\x20-\x7e…]{1,300}$/)
  return [refusal!.status, refusal!.code]
}

const get = (fields: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe('the request line', () => {
  it('is taken apart', () => {
    expect(accepted('GET /a/b%20c?x=1?2 HTTP/1.1\r\nHost: example.org\r\n\r\n')).toMatchObject({
      method: 'GET',
      target: '/a/b%20c?x=1?2',
      targetForm: 'origin',
      path: '/a/b%20c',
      query: 'x=1?2',
      authority: '',
      minorVersion: 1,
      host: 'example.org',
      requestLine: 'GET /a/b%20c?x=1?2 HTTP/1.1',
    })
  })

  it('may have an empty query, which is not no query', () => {
    expect(accepted('GET /? HTTP/1.1\r\nHost: a\r\n\r\n').query).toBe('')
    expect(accepted('GET / HTTP/1.1\r\nHost: a\r\n\r\n').query).toBeNull()
  })

  it('may have any token as its method, case kept', () => {
    for (const method of [
      'GET',
      'POST',
      'DELETE',
      'PROPPATCH',
      'BREW',
      'get',
      'M-SEARCH',
      "a!#$%&'*+.^_`|~1",
    ]) {
      expect(accepted(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).method).toBe(method)
    }
  })

  it.each([
    ['a tab', 'GET\t/ HTTP/1.1\r\n'],
    ['two spaces before the target', 'GET  / HTTP/1.1\r\n'],
    ['two spaces before the version', 'GET /  HTTP/1.1\r\n'],
    ['a space after the version', 'GET / HTTP/1.1 \r\n'],
    ['a space before the method', ' GET / HTTP/1.1\r\n'],
    ['a separator in the method', 'GE(T / HTTP/1.1\r\n'],
    ['an 8-bit method', 'G\xc9T / HTTP/1.1\r\n'],
    ['no target', 'GET HTTP/1.1\r\n'],
    ['no version (HTTP/0.9)', 'GET /\r\n'],
    ['no more than a method', 'GET\r\n'],
    ['a lower-case version', 'GET / http/1.1\r\n'],
    ['a version without a minor number', 'GET / HTTP/1\r\n'],
    ['a two-digit minor number', 'GET / HTTP/1.10\r\n'],
    ['a two-digit major number', 'GET / HTTP/11.1\r\n'],
    ['another protocol', 'GET / ICY/1.1\r\n'],
    ['a hash in the target', 'GET /#top HTTP/1.1\r\n'],
    ['a tab in the target', 'GET /a\tb HTTP/1.1\r\n'],
    ['a NUL in the target', 'GET /a\0b HTTP/1.1\r\n'],
    ['a DEL in the target', 'GET /a\x7fb HTTP/1.1\r\n'],
    ['a second CR', 'GET / HTTP/1.1\r\r\n'],
    ['an SSH client', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ])('with %s is refused', (_, line) => {
    const [status, code] = refused(`${line}Host: a\r\n\r\n`)
    expect(status).toBe(400)
    expect(['bad-request-line', 'bare-cr']).toContain(code)
  })

  it('that ends with LF, or has one within, is refused', () => {
    expect(refused('GET / HTTP/1.1\nHost: a\r\n\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('GET /\nHost: a\r\n\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('GET\n/ HTTP/1.1\r\n\r\n')).toEqual([400, 'bare-lf'])
    expect(refused('\nGET / HTTP/1.1\r\n\r\n')).toEqual([400, 'bare-lf'])
  })

  it('that ends with CR is refused', () => {
    expect(refused('GET / HTTP/1.1\rHost: a\r\n\r\n')).toEqual([400, 'bare-cr'])
  })

  it('may be of a later HTTP/1.x, which is served as HTTP/1.1 (RFC 9110 §2.5)', () => {
    for (const version of ['HTTP/1.2', 'HTTP/1.9']) {
      const request = accepted(`GET / ${version}\r\nHost: a\r\n\r\n`)
      expect(request).toMatchObject({
        minorVersion: 1,
        keepAlive: true,
        requestLine: `GET / ${version}`,
      })
      expect(refused(`GET / ${version}\r\n\r\n`)).toEqual([400, 'no-host'])
    }
  })

  it.each(['HTTP/2.0', 'HTTP/2.1', 'HTTP/0.9', 'HTTP/0.1', 'HTTP/3.0', 'HTTP/9.9'])(
    'of %s is answered with 505',
    (version) => {
      expect(refused(`GET / ${version}\r\nHost: a\r\n\r\n`)).toEqual([505, 'unsupported-version'])
    },
  )

  it('of the HTTP/2 preface is answered with 505', () => {
    expect(refused('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toEqual([505, 'unsupported-version'])
  })

  it('may follow one empty line, not two', () => {
    expect(accepted('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').method).toBe('GET')
    expect(refused('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toEqual([400, 'empty-lines'])
    expect(refused('\rGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toEqual([400, 'bare-cr'])
  })

  it('of a TLS client is recognised by its first byte', () => {
    expect(refused('\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03')).toEqual([400, 'tls-handshake'])
    expect(refused('\x16')).toEqual([400, 'tls-handshake'])
  })

  it('is refused at the first bad byte, without waiting for more', () => {
    expect(refused('\0')).toEqual([400, 'bad-request-line'])
    expect(refused('GET /\x01')).toEqual([400, 'bad-request-line'])
    expect(refused('GET / X')).toEqual([400, 'bad-request-line'])
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\nX: \0')).toEqual([400, 'bad-field-value'])
  })
})

describe('the target', () => {
  it('in absolute-form is taken apart, and its authority takes the place of Host', () => {
    expect(accepted('GET http://a.example:81/p/q?r HTTP/1.1\r\nHost: other\r\n\r\n')).toMatchObject(
      {
        targetForm: 'absolute',
        authority: 'a.example:81',
        path: '/p/q',
        query: 'r',
        host: 'other',
      },
    )
  })

  it('in absolute-form may lack a path', () => {
    const without = 'HTTP/1.1\r\nHost: a\r\n\r\n'
    expect(accepted(`GET http://a ${without}`)).toMatchObject({
      authority: 'a',
      path: '',
      query: null,
    })
    expect(accepted(`GET HTTPS://a?b/c ${without}`)).toMatchObject({
      authority: 'a',
      path: '',
      query: 'b/c',
    })
    expect(accepted(`OPTIONS http://[::1]:80 ${without}`)).toMatchObject({
      authority: '[::1]:80',
      path: '',
    })
  })

  it('may have bytes from 0x80 on, which clients send for UTF-8 that they do not escape', () => {
    const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i)).join('')
    for (const target of [`/${high}?${high}`, `http://a/${high}?${high}`]) {
      expect(accepted(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatchObject({
        target,
        path: `/${high}`,
        query: high,
        requestLine: `GET ${target} HTTP/1.1`,
      })
    }
  })

  it('has no controls, no DEL and no space', () => {
    const bad = [...Array.from({ length: 0x21 }, (_, byte) => byte), 0x7f]
    for (const byte of bad) {
      for (const target of ['/a', '/a?b', 'http://a/b', '/\xe9']) {
        const [status] = refused(
          `GET ${target}${String.fromCharCode(byte)}c HTTP/1.1\r\nHost: a\r\n\r\n`,
        )
        expect([status, byte]).toEqual([400, byte])
      }
    }
  })

  it('in authority-form goes with CONNECT', () => {
    expect(accepted('CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n')).toMatchObject({
      targetForm: 'authority',
      authority: 'a.example:443',
      path: '',
      query: null,
    })
  })

  it('in asterisk-form goes with OPTIONS', () => {
    expect(accepted('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')).toMatchObject({
      targetForm: 'asterisk',
      path: '*',
    })
  })

  it.each([
    'GET *',
    'OPTIONS **',
    'OPTIONS *?a',
    'GET a.example:80',
    'GET a',
    'GET \xe9',
    'GET http://\xe9/',
    'GET http://a\xe9',
    'CONNECT \xe9:443',
    'GET ?a',
    'GET http:/a',
    'GET http://',
    'GET http:///a',
    'GET http://?a',
    'GET http://:80/',
    'GET http://user@a/',
    'GET http://user:pw@a/',
    'GET http://a:b/',
    'GET http://a:65536/',
    'GET http://a|b/',
    'GET http://a%2/',
    'GET http://a%zz/',
    'GET http://[::1/',
    'GET http://[::1]a/',
    'GET http://[::g]/',
    'GET http://[fe80::1%25eth0]/',
    'GET ftp://a/',
    'GET urn:a',
    'CONNECT /',
    'CONNECT a',
    'CONNECT a:',
    'CONNECT :443',
    'CONNECT a:443/',
    'CONNECT a:443?b',
    'CONNECT u@a:443',
    'CONNECT *',
    'CONNECT http://a:443',
  ])('of "%s" is refused', (start) => {
    expect(refused(`${start} HTTP/1.1\r\nHost: a\r\n\r\n`)).toEqual([400, 'bad-target'])
  })
})

describe('fields', () => {
  it('are read in order, names as sent, values without white space around them', () => {
    const { fields } = accepted(
      'GET / HTTP/1.1\r\nhOST:a\r\nX-A: \t b \t\r\nX-Empty:\r\nx-a:  \r\nY: c  d\te\r\n\r\n',
    )
    expect(fields).toEqual([
      ['hOST', 'a'],
      ['X-A', 'b'],
      ['X-Empty', ''],
      ['x-a', ''],
      ['Y', 'c  d\te'],
    ])
  })

  it('may have bytes 0x80 to 0xFF in their values, each kept', () => {
    const bytes = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('')
    expect(accepted(get(`X: ${bytes}\r\n`)).fields[1]).toEqual(['X', bytes])
  })

  it.each([
    ['a space before the colon', 'X : b\r\n', 'space-before-colon'],
    ['a tab before the colon', 'X\t: b\r\n', 'space-before-colon'],
    ['no colon', 'X\r\n', 'no-colon'],
    ['no name', ': b\r\n', 'empty-field-name'],
    ['a separator in the name', 'X(: b\r\n', 'bad-field-name'],
    ['an 8-bit name', 'X\xe9: b\r\n', 'bad-field-name'],
    ['a NUL in the name', 'X\0: b\r\n', 'bad-field-name'],
    ['a continuation line after a space', 'X: b\r\n c\r\n', 'obs-fold'],
    ['a continuation line after a tab', 'X: b\r\n\tc\r\n', 'obs-fold'],
    ['a NUL in the value', 'X: b\0\r\n', 'bad-field-value'],
    ['an escape in the value', 'X: b\x1b[0m\r\n', 'bad-field-value'],
    ['a DEL in the value', 'X: b\x7f\r\n', 'bad-field-value'],
    ['a vertical tab in the value', 'X: \x0bchunked\r\n', 'bad-field-value'],
    ['a bare CR in the value', 'X: b\rc\r\n', 'bare-cr'],
    ['a second CR at its end', 'X: b\r\r\n', 'bare-cr'],
    ['a bare LF at its end', 'X: b\nY: c\r\n', 'bare-lf'],
    ['a bare LF in the name', 'X\nY: c\r\n', 'bare-lf'],
  ])('with %s are refused', (_, fields, code) => {
    expect(refused(get(fields))).toEqual([400, code])
  })

  it('may not begin with white space', () => {
    expect(refused('GET / HTTP/1.1\r\n Host: a\r\n\r\n')).toEqual([400, 'space-before-fields'])
  })

  it('end with CRLF CRLF, nothing less', () => {
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\n\n')).toEqual([400, 'bare-lf'])
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\n\rX')).toEqual([400, 'bare-cr'])
    expect(read('GET / HTTP/1.1\r\nHost: a\r\n\r').partialHead).toBe(true)
  })

  it('with every name are found again by it, known or not, in any case', () => {
    const head = headOf(get('X-Forwarded-For: 1\r\nUser-Agent: u\r\nX-Odd: 1\r\nx-odd: 2\r\n'))
    expect(head.get('user-agent')).toBe('u')
    expect(head.get('x-odd')).toBe('1, 2')
    expect(head.get('x-none')).toBeUndefined()
    expect(head.names[3]).toBe(head.names[4])
    expect(headOf(get('X-ODD: 1\r\n')).names[1]).toBe(head.names[3])
  })
})

describe('Host', () => {
  it.each([
    'a',
    'a.example',
    'a.example:8000',
    'a:',
    '127.0.0.1:1',
    '[::1]',
    '[::ffff:1.2.3.4]:443',
    '[v1.a:b]',
    'xn--bcher-kva.example',
    'a_b',
    'a%2Fb',
    'a:65535',
  ])('may be %s', (host) => {
    expect(accepted(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).host).toBe(host)
  })

  it.each([
    '',
    ':80',
    'a b',
    'a/b',
    'a?b',
    'a@b',
    'a,b:c',
    'a:1:2',
    'a:-1',
    'a:65536',
    'a:8o',
    'a%',
    'a%1',
    '[::1',
    '::1',
    '[]',
    '[::1]b',
    '[1.2.3.4]',
    'a\xe9',
    'http://a',
    'a"',
    'a\tb',
  ])('may not be "%s"', (host) => {
    expect(refused(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toEqual([400, 'bad-host'])
  })

  it('is there exactly once in HTTP/1.1', () => {
    expect(refused('GET / HTTP/1.1\r\n\r\n')).toEqual([400, 'no-host'])
    expect(refused('GET http://a/ HTTP/1.1\r\n\r\n')).toEqual([400, 'no-host'])
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n')).toEqual([400, 'two-hosts'])
  })

  it('is there at most once in HTTP/1.0', () => {
    expect(accepted('GET / HTTP/1.0\r\n\r\n').host).toBeNull()
    expect(accepted('GET / HTTP/1.0\r\nHost: a\r\n\r\n').host).toBe('a')
    expect(refused('GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n')).toEqual([400, 'two-hosts'])
  })
})

describe('names with underscores', () => {
  const spoof = get('X_Real_Ip: 1\r\nX-Real-Ip: 2\r\n')

  it('are dropped by default, and the others keep their places', () => {
    expect(accepted(spoof).fields).toEqual([
      ['Host', 'a'],
      ['X-Real-Ip', '2'],
    ])
  })

  it('are refused on wish', () => {
    expect(refused(spoof, { headerMap: 'refuse' })).toEqual([400, 'underscore-in-field-name'])
  })

  it('are kept on wish', () => {
    expect(accepted(spoof, { headerMap: 'dangerous' }).fields.map(([name]) => name)).toEqual([
      'Host',
      'X_Real_Ip',
      'X-Real-Ip',
    ])
  })

  it('never stand for the fields that frame a message', () => {
    for (const field of ['Content_Length: 5', 'Transfer_Encoding: chunked', 'content_type: a/b']) {
      expect(accepted(get(`${field}\r\n`))).toMatchObject({
        contentLength: -1,
        chunked: false,
        body: '',
      })
      expect(refused(get(`${field}\r\n`), { headerMap: 'dangerous' })).toEqual([
        400,
        'underscore-in-field-name',
      ])
    }
  })

  it('are checked and counted though they are dropped', () => {
    expect(refused(get('X_A: \0\r\n'))).toEqual([400, 'bad-field-value'])
    expect(refused(get('X_A: 1\r\nX_B: 1\r\n'), { fields: 2 })).toEqual([431, 'too-many-fields'])
    expect(refused(get(`X_A: ${'a'.repeat(100)}\r\n`), { fieldSize: 100 })).toEqual([
      431,
      'field-too-long',
    ])
  })
})

describe('framing', () => {
  const post = (fields: string, version = '1.1'): string =>
    `POST / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`

  it('is by Content-Length, by chunks, or there is no body', () => {
    expect(accepted(`${post('Content-Length: 5\r\n')}hello`)).toMatchObject({
      contentLength: 5,
      body: 'hello',
    })
    expect(accepted(`${post('Transfer-Encoding: Chunked\r\n')}0\r\n\r\n`)).toMatchObject({
      chunked: true,
      body: '',
    })
    expect(accepted(post(''))).toMatchObject({ contentLength: -1, chunked: false, complete: true })
    expect(accepted(post('Content-Length: 0\r\n'))).toMatchObject({
      contentLength: 0,
      complete: true,
    })
  })

  it('may have the longest length there is, and leading zeros', () => {
    expect(accepted(post('Content-Length: 9007199254740991\r\n')).contentLength).toBe(
      Number.MAX_SAFE_INTEGER,
    )
    expect(accepted(post('Content-Length: 0000\r\n')).contentLength).toBe(0)
  })

  it.each([
    '',
    '+5',
    '-5',
    '-0',
    '5,5',
    '5, 5',
    '5 5',
    '0x5',
    '5e1',
    '5.0',
    '5_0',
    'five',
    '\xb2',
    '\xa05',
    '5;',
    '5\t',
    '5 \t ',
    '9007199254740992',
    '99999999999999999999999999',
    '18446744073709551621',
  ])('with a Content-Length of "%s" is refused', (value) => {
    expect(refused(post(`Content-Length: ${value}\r\n`))).toEqual([400, 'bad-content-length'])
  })

  it('with two lengths, equal or not, is refused', () => {
    expect(refused(post('Content-Length: 5\r\nContent-Length: 5\r\n'))).toEqual([
      400,
      'two-content-lengths',
    ])
    expect(refused(post('content-length: 5\r\nContent-Length: 6\r\n'))).toEqual([
      400,
      'two-content-lengths',
    ])
    expect(refused(post('Content-Length: 0\r\nContent-Length: 0\r\n'))).toEqual([
      400,
      'two-content-lengths',
    ])
  })

  it.each([
    '',
    ',',
    'chunked,',
    ',chunked',
    'chunked, chunked',
    'chunked, gzip',
    'gzip',
    'identity',
    'chunked;q=1',
    'x chunked',
    'chunked x',
    '"chunked"',
    'chunked\xa0',
    'chunke',
    'chunkedd',
    'xchunked',
    'gzip, , chunked',
    'g(zip, chunked',
  ])('with a Transfer-Encoding of "%s" is refused', (value) => {
    expect(refused(post(`Transfer-Encoding: ${value}\r\n`))).toEqual([400, 'bad-transfer-encoding'])
  })

  it.each(['gzip, chunked', 'identity,chunked', 'a, b , chunked'])(
    'with a Transfer-Encoding of "%s" is well formed, but not understood',
    (value) => {
      expect(refused(post(`Transfer-Encoding: ${value}\r\n`))).toEqual([
        501,
        'unknown-transfer-coding',
      ])
    },
  )

  it('may have white space behind "chunked"', () => {
    for (const value of ['chunked\t', 'chunked \t ', '\tChunked ']) {
      expect(accepted(`${post(`Transfer-Encoding:${value}\r\n`)}1\r\na\r\n0\r\n\r\n`).body).toBe(
        'a',
      )
    }
  })

  it('with Transfer-Encoding on several lines is the list of all (RFC 9110 §5.3)', () => {
    const lines = (...values: string[]): string =>
      post(values.map((value) => `Transfer-Encoding: ${value}\r\nX: y\r\n`).join(''))
    const bad = [400, 'bad-transfer-encoding']
    const unknown = [501, 'unknown-transfer-coding']
    expect(refused(lines('chunked', 'chunked'))).toEqual(bad)
    expect(refused(lines('chunked', 'gzip'))).toEqual(bad)
    expect(refused(lines('chunked', 'identity'))).toEqual(bad)
    expect(refused(lines('', 'chunked'))).toEqual(bad)
    expect(refused(lines('chunked', ''))).toEqual(bad)
    expect(refused(lines('gzip', 'x'))).toEqual(bad)
    expect(refused(lines('gzip', 'chunked, chunked'))).toEqual(bad)
    expect(refused(lines('gzip', 'chunked'))).toEqual(unknown)
    expect(refused(lines('gzip, br', 'identity', 'chunked\t'))).toEqual(unknown)
  })

  it('with both, in either order, is refused', () => {
    const both = [400, 'content-length-and-transfer-encoding']
    expect(refused(post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'))).toEqual(both)
    expect(refused(post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'))).toEqual(both)
    expect(refused(post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n'))).toEqual(both)
    expect(refused(post('Transfer-Encoding: gzip\r\nContent-Length: 5\r\n'))).toEqual(both)
    expect(
      refused(
        post('Transfer-Encoding: gzip\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
      ),
    ).toEqual(both)
  })

  it('by chunks in HTTP/1.0 is refused', () => {
    expect(refused(post('Transfer-Encoding: chunked\r\n', '1.0'))).toEqual([
      400,
      'transfer-encoding-in-http-1.0',
    ])
  })

  it('with two Content-Types is refused', () => {
    expect(refused(post('Content-Type: a/b\r\nContent-Type: a/b\r\n'))).toEqual([
      400,
      'two-content-types',
    ])
  })
})

describe('limits', () => {
  const line = 'GET /aaa HTTP/1.1'
  const rest = '\r\nHost: a\r\n\r\n'

  it('on the request line count it without its CRLF', () => {
    expect(accepted(line + rest, { requestLine: line.length }).target).toBe('/aaa')
    expect(refused(line + rest, { requestLine: line.length - 1 })).toEqual([
      414,
      'request-line-too-long',
    ])
  })

  it('on the request line hold while it is incomplete', () => {
    for (const text of ['G'.repeat(31), `GET /${'a'.repeat(26)}`, `GET /${'a'.repeat(19)} `]) {
      expect(refused(text, { requestLine: 31 })).toEqual([414, 'request-line-too-long'])
    }
    expect(read('G'.repeat(30), { requestLine: 31 }).partialHead).toBe(true)
  })

  it('on a field line count it with its CRLF', () => {
    const field = 'X-Name: value\r\n'
    expect(accepted(get(field), { fieldSize: field.length }).fields[1]).toEqual(['X-Name', 'value'])
    expect(refused(get(field), { fieldSize: field.length - 1 })).toEqual([431, 'field-too-long'])
  })

  it('on a field line hold while it is incomplete', () => {
    const head = 'GET / HTTP/1.1\r\n'
    expect(refused(`${head}${'a'.repeat(98)}`, { fieldSize: 100 })).toEqual([431, 'field-too-long'])
    expect(refused(`${head}a:${'b'.repeat(97)}`, { fieldSize: 100 })).toEqual([
      431,
      'field-too-long',
    ])
    expect(read(`${head}a:${'b'.repeat(96)}`, { fieldSize: 100 }).partialHead).toBe(true)
    expect(refused(head.concat('X: 1'), { fieldSize: 1 })).toEqual([431, 'field-too-long'])
  })

  it('on the number of fields hold from the first byte of one too many', () => {
    const fields = (n: number): string =>
      get(Array.from({ length: n - 1 }, (_, i) => `X-${i}: 1\r\n`).join(''))
    expect(accepted(fields(100)).fields).toHaveLength(100)
    expect(refused(fields(101))).toEqual([431, 'too-many-fields'])
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\nX', { fields: 1 })).toEqual([
      431,
      'too-many-fields',
    ])
  })

  it('on the whole head count its request line, its fields and every CRLF', () => {
    const head = get('X: 1\r\nY: 2\r\n')
    // An empty line before it does not count, nor what follows.
    const { requests } = read(`\r\n${head}${head}`, { head: head.length })
    expect(requests).toHaveLength(2)
    for (let limit = 1; limit < head.length; limit++) {
      const line = limit <= 'GET / HTTP/1.1'.length
      expect(refused(head, { head: limit })).toEqual([line ? 414 : 431, 'head-too-large'])
      expect(refused(head.slice(0, limit + 1), { head: limit })).toEqual([
        line ? 414 : 431,
        'head-too-large',
      ])
      expect(read(head.slice(0, limit), { head: limit }).partialHead).toBe(true)
    }
  })

  it('on the whole head hold whatever the others are', () => {
    const none = { requestLine: 0, fields: 0, fieldSize: 0 }
    const message = (text: string): string | undefined =>
      readAll([Buffer.from(text)], { ...DEFAULT_HEAD_LIMITS, ...none }).refusal?.message
    expect(message(`GET /${'a'.repeat(70_000)} HTTP/1.1\r\n`)).toBe(
      'The request line alone is larger than 65536 bytes (limit_request_head)',
    )
    expect(message(get(`X: ${'a'.repeat(70_000)}\r\n`))).toBe(
      'The head is larger than 65536 bytes (limit_request_head)',
    )
    expect(message(get('X:\r\n'.repeat(20_000)))).toBe(
      'The head is larger than 65536 bytes (limit_request_head)',
    )
  })

  it('say in the refusal which setting raises them', () => {
    const message = (text: string, limits: Partial<HeadLimits> = {}): string | undefined =>
      read(text, limits).refusal?.message
    expect(message(`GET /${'a'.repeat(5000)}`)).toBe(
      'The request line is longer than 4094 bytes (limit_request_line)',
    )
    expect(message(get(`X: ${'a'.repeat(9000)}`))).toBe(
      'The field line "X" is longer than 8190 bytes (limit_request_field_size)',
    )
    expect(message(get('X: 1\r\n'), { fields: 1 })).toBe(
      'The request has more than 1 fields (limit_request_fields)',
    )
  })

  it('of 0 are ceilings', () => {
    const none = { requestLine: 0, fields: 0, fieldSize: 0, head: 0 }
    const long = 'a'.repeat(20_000)
    expect(accepted(`GET /${long} HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`, none).path).toBe(
      `/${long}`,
    )
    const whole = (text: string): string | undefined =>
      readAll([Buffer.from(text)], { ...DEFAULT_HEAD_LIMITS, ...none }).refusal?.code
    expect(whole(`GET /${'a'.repeat(1024 * 1024)}`)).toBe('request-line-too-long')
    expect(whole(`GET / HTTP/1.1\r\nX: ${'a'.repeat(1024 * 1024)}`)).toBe('head-too-large')
    expect(whole(`GET / HTTP/1.1\r\n${`X: ${'a'.repeat(500_000)}\r\n`.repeat(4)}`)).toBe(
      'head-too-large',
    )
    expect(whole(`GET / HTTP/1.1\r\n${'X:\r\n'.repeat(32769)}`)).toBe('too-many-fields')
  })
})

describe('Expect', () => {
  const post = (fields: string, version = '1.1'): string =>
    `POST / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`

  it('of 100-continue is noted, in any case, when there is a body to wait for', () => {
    expect(
      read(post('Expect: 100-Continue\r\nContent-Length: 5\r\n')).requests[0]!.expectContinue,
    ).toBe(true)
    expect(
      read(post('Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n')).requests[0]!
        .expectContinue,
    ).toBe(true)
    expect(accepted(post('Expect: 100-continue\r\nContent-Length: 0\r\n')).expectContinue).toBe(
      false,
    )
    expect(accepted(post('Expect: 100-continue\r\n')).expectContinue).toBe(false)
  })

  it('of anything else is answered with 417', () => {
    for (const value of ['200-ok', '', '100-continue, 100-continue', '100-continue;a', '100']) {
      expect(refused(post(`Expect: ${value}\r\n`))).toEqual([417, 'unknown-expectation'])
    }
  })

  it('is ignored in HTTP/1.0', () => {
    expect(
      accepted(`${post('Expect: 100-continue\r\nContent-Length: 1\r\n', '1.0')}a`).expectContinue,
    ).toBe(false)
    expect(accepted(post('Expect: magic\r\n', '1.0')).expectContinue).toBe(false)
  })
})

describe('persistence', () => {
  const persists = (version: string, fields: string): boolean =>
    accepted(`GET / HTTP/${version}\r\nHost: a\r\n${fields}\r\n`).keepAlive

  it('is the default of HTTP/1.1 and ends with close', () => {
    expect(persists('1.1', '')).toBe(true)
    expect(persists('1.1', 'Connection: keep-alive\r\n')).toBe(true)
    expect(persists('1.1', 'Connection: Close\r\n')).toBe(false)
    expect(persists('1.1', 'Connection: x,\tclose ,y\r\n')).toBe(false)
    expect(persists('1.1', 'Connection: keep-alive\r\nConnection: close\r\n')).toBe(false)
    expect(persists('1.1', 'Connection: closed, x-close\r\n')).toBe(true)
  })

  it('is asked for in HTTP/1.0', () => {
    expect(persists('1.0', '')).toBe(false)
    expect(persists('1.0', 'Connection: Keep-Alive\r\n')).toBe(true)
    expect(persists('1.0', 'Connection: keep-alive, close\r\n')).toBe(false)
    expect(persists('1.0', 'Connection: x, keep-alive \r\n')).toBe(true)
    expect(persists('1.0', 'Connection: keep-alive\t\r\n')).toBe(false)
  })

  it('ends with a close in Proxy-Connection, whose keep-alive changes nothing', () => {
    expect(persists('1.1', 'Proxy-Connection: x, close\r\n')).toBe(false)
    expect(persists('1.1', 'Proxy-Connection: x\r\n')).toBe(true)
    expect(persists('1.0', 'Proxy-Connection: keep-alive\r\n')).toBe(false)
  })

  it('ends with a CONNECT', () => {
    expect(accepted('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n').keepAlive).toBe(false)
  })

  it('does not depend on Upgrade, which is noted', () => {
    const upgrade = accepted(get('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'))
    expect(upgrade).toMatchObject({ keepAlive: true, upgrade: true })
    expect(accepted(get('Upgrade: h2c\r\n')).upgrade).toBe(false)
    expect(accepted(get('Connection: upgrade\r\n')).upgrade).toBe(false)
  })
})

describe('the parser', () => {
  it('takes no byte beyond the end of the head', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    const bytes = Buffer.from(get('Content-Length: 5\r\n').concat('hello'))
    expect(feedTo(parser, bytes, 0, bytes.length)).toBe(bytes.length - 5)
    expect(parser.complete).toBe(true)
    expect(feedTo(parser, bytes, 0, bytes.length)).toBe(0)
    const split = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    expect(feedTo(split, bytes, 0, 10)).toBe(10)
    expect(feedTo(split, bytes, 10, bytes.length)).toBe(bytes.length - 15)
  })

  it('reads a whole head in place and copies only a split one', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    const bytes = Buffer.from(get(''))
    feedTo(parser, bytes, 0, bytes.length)
    expect(parser.head.bytes).toBe(bytes)
    parser.reset()
    feedTo(parser, bytes, 0, 7)
    feedTo(parser, bytes, 7, bytes.length)
    expect(parser.complete).toBe(true)
    expect(parser.head.bytes).not.toBe(bytes)
  })

  it('has begun with the first byte of a request line, not with an empty line', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    const bytes = Buffer.from('\r\nGET /')
    feedTo(parser, bytes, 0, 1)
    expect(parser.begun).toBe(false)
    feedTo(parser, bytes, 1, 2)
    expect(parser.begun).toBe(false)
    feedTo(parser, bytes, 2, 3)
    expect(parser.begun).toBe(true)
    parser.reset()
    expect(parser.begun).toBe(false)
  })

  it('keeps what a refused head had said so far, for the log', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    expect(() => {
      for (const byte of Buffer.from('GET /a HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n')) {
        feedTo(parser, Buffer.of(byte), 0, 1)
      }
    }).toThrow(/white space/)
    expect(parser.head.requestLine()).toBe('GET /a HTTP/1.1')
    expect(parser.head.method).toBe('GET')
    expect(parser.head.get('host')).toBe('a')
  })

  it('has an empty request line to log while there is none', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    for (const text of ['GE', 'T /a', ' HTTP/1']) {
      feedTo(parser, Buffer.from(text), 0, text.length)
      expect(parser.head.requestLine()).toBe('')
    }
    expect(parser.head.target).toBe('/a')
  })

  it('has as much of a refused request line to log as came', () => {
    const lineOf = (text: string, length: number): string => {
      const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
      expect(() => {
        const bytes = Buffer.from(text, 'latin1')
        for (let at = 0; at < bytes.length; at += length) {
          feedTo(parser, bytes, at, Math.min(bytes.length, at + length))
        }
      }, JSON.stringify(text)).toThrow()
      return parser.requestLine()
    }
    for (const length of [1, 7, 1000]) {
      expect(lineOf('GET /a b c\r\nHost: a\r\n\r\n', length)).toMatch(/^GET \/a b/)
      expect(lineOf('GET /a\nHost: a\r\n\r\n', length)).toBe('GET /a')
      expect(lineOf('GET /a HTTP/1.1\r\nBad Name: 1\r\n\r\n', length)).toBe('GET /a HTTP/1.1')
      expect(lineOf('\r\n\r\nGET /\r\n', length)).toMatch(/^(?:GET(?: \/)?)?$/)
      expect(lineOf(`GET /${'a'.repeat(5000)}`, length)).toBe(`GET /${'a'.repeat(123)}`)
    }
    const hello = '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'
    expect(lineOf(hello, 1000)).toBe(hello)
    // An empty line in front does not hide it.
    expect(lineOf('\r\n(ET / HTTP/1.1\r\n', 1000)).toBe('(ET / HTTP/1.1')
  })

  it('has as much of an incomplete request line to log as came', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    expect(parser.requestLine()).toBe('')
    for (const text of ['GE', 'T /a', ' HTTP/1']) feedTo(parser, Buffer.from(text), 0, text.length)
    expect(parser.requestLine()).toBe('GET /a HTTP/1')
    feedTo(parser, Buffer.from('.1\r\nHo'), 0, 6)
    expect(parser.requestLine()).toBe('GET /a HTTP/1.1')
  })

  it('copies each byte a bounded number of times however slowly they come', () => {
    // A megabyte in single bytes would take 500 GB of copying if each byte meant a copy of all
    // before it.
    const parser = new RequestHeadParser({ ...DEFAULT_HEAD_LIMITS, fieldSize: 0, head: 0 })
    const bytes = Buffer.from(get(`X: ${'a'.repeat(1_000_000)}\r\n`))
    for (let i = 0; i < bytes.length; i++) feedTo(parser, bytes, i, i + 1)
    expect(parser.complete).toBe(true)
  })

  it('takes a field name of a megabyte without ending the process', () => {
    const limits = { ...DEFAULT_HEAD_LIMITS, fieldSize: 0, head: 0 }
    const name = 'x'.repeat(1_000_000)
    const bytes = Buffer.from(get(`${name}: 1\r\n`))
    const parser = new RequestHeadParser(limits)
    feedTo(parser, bytes, 0, bytes.length)
    expect(parser.head.get(name)).toBe('1')
  })

  it('tells how much memory an incomplete head keeps', () => {
    const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
    const feed = (text: string): void => {
      feedTo(parser, Buffer.from(text), 0, text.length)
    }
    expect(parser.held).toBe(0)
    feed('GET / HTTP/1.1\r\nHost: a\r\n')
    expect(parser.held).toBeGreaterThanOrEqual(1024)
    expect(parser.held).toBeLessThan(2048)
    const small = parser.held
    feed(`${'n'.repeat(8000)}:\r\n`)
    // The bytes, and the name twice: as bytes and as a string.
    expect(parser.held).toBeGreaterThan(small + 3 * 8000 - 1024)
    for (let i = 0; i < 6; i++) feed(`X: ${'a'.repeat(8000)}\r\n`)
    // Space to grow, but none beyond what a head may have.
    expect(parser.held).toBeLessThan(65536 + 4096 + 3 * 8000)
    feed('\r\n')
    expect(parser.complete).toBe(true)
    expect(parser.held).toBeGreaterThan(50_000)
    parser.reset()
    expect(parser.held).toBe(0)
    // One that came at once is held by whoever holds the chunk.
    feed(get(''))
    expect(parser.held).toBe(0)
  })

  it('keeps little of a head that is done with, whatever its names were', () => {
    // 98 names of 8,100 bytes once stayed as long as the connection.
    const kept = (fields: string, limits: Partial<HeadLimits> = {}): readonly FieldName[] => {
      const parser = new RequestHeadParser({ ...DEFAULT_HEAD_LIMITS, ...limits })
      const bytes = Buffer.from(get(fields))
      feedTo(parser, bytes, 0, bytes.length)
      expect(parser.complete).toBe(true)
      return expectedNames(parser.head.names)
    }
    const names = (count: number, length: number): string =>
      Array.from({ length: count }, (_, i) => `x-${i}-`.padEnd(length, 'n').concat(': 1\r\n')).join(
        '',
      )
    expect(kept(names(7, 8100))).toHaveLength(1) // Host
    expect(kept(names(98, 8100), { head: 0 })).toHaveLength(1)
    expect(kept(`A: 1\r\n${names(1, 65)}B: 1\r\n`).map(({ lower }) => lower)).toEqual(['host', 'a'])
    expect(kept(names(99, 64))).toHaveLength(1 + 16)
    expect(kept('Accept: a\r\n'.repeat(99))).toHaveLength(64)
    const browser = 'Accept: a\r\nCookie: b\r\nDNT: 1\r\nOrigin: a\r\n'.repeat(6) + names(16, 20)
    expect(kept(browser)).toHaveLength(1 + 24 + 16)
    expect(kept(names(30_000, 7), { head: 0, fields: 0 })).toHaveLength(1 + 16)
  })

  it('reads pipelined requests one after another, each with a head of its own', () => {
    const { requests, refusal } = read(
      `${get('A: 1\r\n')}\r\nPOST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\n` +
        'xyzPUT /c HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n' +
        `\r\n${get('D: 4\r\n')}`,
    )
    expect(refusal).toBeNull()
    expect(requests.map(({ method, host, body }) => [method, host, body])).toEqual([
      ['GET', 'a', ''],
      ['POST', 'b', 'xyz'],
      ['PUT', 'c', 'hi'],
      ['GET', 'a', ''],
    ])
  })
})

describe('a request after others', () => {
  const NAMES = [
    'Host',
    'X-A',
    'x-a',
    'X-Ab',
    'X_A',
    'Accept',
    'ACCEPT',
    'Accept-Language',
    'Content-Type',
    'Cookie',
  ]
  const LINES = [
    ...NAMES.map((name) => `${name}: a\r\n`),
    'X-A : b\r\n',
    'X-A\r\n',
    'Accept:\r\n',
    `X-A: ${'b'.repeat(30)}\r\n`,
  ]

  it('is read as if it were the first', () => {
    const request = fc.array(fc.constantFrom(...LINES), { maxLength: 6 })
    fc.assert(
      fc.property(fc.array(request, { minLength: 2, maxLength: 4 }), (all) => {
        const texts = all.map(
          (lines) => `GET / HTTP/1.0\r\nConnection: keep-alive\r\n${lines.join('')}\r\n`,
        )
        // The bytes one by one, and each request alone, are read without any help from the request
        // before.
        const together = read(texts.join(''), { fieldSize: 30, fields: 6 })
        const alone = texts.map((text) => read(text, { fieldSize: 30, fields: 6 }))
        const good = alone.findIndex(({ refusal }) => refusal !== null)
        const expected = alone
          .slice(0, good < 0 ? alone.length : good)
          .flatMap(({ requests }) => requests)
        const relative = together.requests.map(({ end, ...rest }) => rest)
        expect(relative).toEqual(expected.map(({ end, ...rest }) => rest))
        expect(together.refusal).toEqual(good < 0 ? null : alone[good]!.refusal)
      }),
    )
  })
})

describe('any valid request', () => {
  const token = fc.string({
    unit: fc.constantFrom(..."!#$%&'*+-.^`|~0123456789abcdefgxyzABCDEFGXYZ"),
    minLength: 1,
    maxLength: 20,
  })
  const value = fc
    .string({ unit: fc.nat(255).map((byte) => String.fromCharCode(byte)), maxLength: 60 })
    .map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').replace(/^[\t ]+|[\t ]+$/g, ''))
  const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 })
  const fields = fc.array(
    fc.tuple(
      token.map((name) => `X${name}`),
      space,
      value,
      space,
    ),
    { maxLength: 20 },
  )
  const target = fc
    .string({
      unit: fc.integer({ min: 0x21, max: 0xff }).map((byte) => String.fromCharCode(byte)),
      maxLength: 80,
    })
    .map((text) => `/${text.replaceAll(/[#\x7f]/g, '')}`)
  const body = fc.uint8Array({ maxLength: 200 })

  it('means what was sent, at any split', () => {
    const request = fc.record({
      method: token.filter((name) => name !== 'CONNECT'),
      target,
      fields,
      body,
      sizes: fc.option(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 })),
    })
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), (sent) => {
        const bytes = Buffer.concat(
          sent.flatMap(({ method, target, fields, body, sizes }) => {
            const lines = fields.map(
              ([name, before, value, after]) => `${name}:${before}${value}${after}\r\n`,
            )
            const framing =
              sizes === null ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked'
            const rest = `Host: h\r\n${lines.join('')}${framing}\r\n\r\n`
            const head = `${method} ${target} HTTP/1.1\r\n${rest}`
            return [
              Buffer.from(head, 'latin1'),
              sizes === null ? Buffer.from(body) : chunked(body, sizes),
            ]
          }),
        )
        const { requests, refusal } = readAtEverySplit(bytes)
        expect(refusal).toBeNull()
        expect(requests).toHaveLength(sent.length)
        for (const [index, { method, target, fields, body, sizes }] of sent.entries()) {
          const read = requests[index]!
          const question = target.indexOf('?')
          expect(read).toMatchObject({
            method,
            target,
            path: question < 0 ? target : target.slice(0, question),
            query: question < 0 ? null : target.slice(question + 1),
            body: Buffer.from(body).toString('latin1'),
            complete: true,
            chunked: sizes !== null,
          })
          expect(read.fields.slice(1, -1)).toEqual(fields.map(([name, , value]) => [name, value]))
        }
      }),
    )
  })
})

function chunked(body: Uint8Array, sizes: number[]): Buffer {
  const parts: Buffer[] = []
  for (let at = 0, i = 0; at < body.length; i++) {
    const data = body.subarray(at, at + sizes[i % sizes.length]!)
    parts.push(
      Buffer.from(`${data.length.toString(16)}\r\n`),
      Buffer.from(data),
      Buffer.from('\r\n'),
    )
    at += data.length
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

function headOf(text: string): RequestHeadParser['head'] {
  const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
  const bytes = Buffer.from(text, 'latin1')
  feedTo(parser, bytes, 0, bytes.length)
  expect(parser.complete).toBe(true)
  return parser.head
}
