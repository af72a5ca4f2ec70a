import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodePercent } from '../semantics/percent.ts'
import { encodePercent, environKey, makeEnviron, type RequestFacts } from './environ.ts'
import { latin1Text } from './text.ts'
import { WSGIError } from './wsgi-error.ts'

function environOf(facts: Partial<RequestFacts>) {
  return makeEnviron({ method: 'GET', target: '/', headers: [], ...facts })
}

function withHeaders(...headers: [string, string][]) {
  return environOf({ headers })
}

test('what PEP 3333 demands is there, with defaults', () => {
  const { 'wsgi.input': input, 'wsgi.errors': errors, ...rest } = environOf({})
  expect(rest).toEqual({
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '',
    PATH_INFO: '/',
    QUERY_STRING: '',
    REQUEST_URI: '/',
    RAW_URI: '/',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_SOFTWARE: 'monoceros',
    REMOTE_ADDR: '',
    REMOTE_PORT: '',
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'wsgi.input_terminated': true,
  })
  expect(input.read).toBeTypeOf('function')
  expect(errors.write).toBeTypeOf('function')
})

test('each request has an environ of its own', () => {
  expect(environOf({})).not.toBe(environOf({}))
  const changed = environOf({})
  changed['wsgi.version'] = undefined as unknown as readonly [1, 0]
  expect(environOf({})['wsgi.version']).toEqual([1, 0])
})

test('https says so, with its port', () => {
  expect(environOf({ scheme: 'https' })).toMatchObject({
    HTTPS: 'on',
    SERVER_PORT: '443',
    'wsgi.url_scheme': 'https',
  })
  expect(environOf({ scheme: 'https', serverPort: 8443 }).SERVER_PORT).toBe('8443')
})

describe('the target', () => {
  test.each<[string, string, string]>([
    ['/a/b?c=d', '/a/b', 'c=d'],
    ['/?', '/', ''],
    ['/?a?b', '/', 'a?b'],
    ['/a%20b%2Fc?d%20e', '/a b/c', 'd%20e'],
    ['/%c3%A9', '/\xc3\xa9', ''],
    ['/%', '/%', ''],
    ['/%zz%4', '/%zz%4', ''],
    ['/%2541', '/%41', ''],
    ['/%00', '/\0', ''],
    ['/\xe9', '/\xe9', ''],
    ['//double//', '//double//', ''],
    ['/%3Fa?b', '/?a', 'b'],
  ])('%j is path %j and query %j', (target, path, query) => {
    expect(environOf({ target })).toMatchObject({
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_URI: target,
    })
  })

  test('the mount is SCRIPT_NAME, decoded, and part of REQUEST_URI, not decoded', () => {
    expect(environOf({ mount: '/a%20b', target: '/c?d' })).toMatchObject({
      SCRIPT_NAME: '/a b',
      PATH_INFO: '/c',
      REQUEST_URI: '/a%20b/c?d',
      RAW_URI: '/a%20b/c?d',
    })
    expect(environOf({ mount: '/m', target: '/c', requestUri: '/else' }).REQUEST_URI).toBe('/else')
  })
})

describe('headers', () => {
  test('Content-Type and Content-Length have variables of their own', () => {
    const environ = withHeaders(
      ['content-TYPE', 'a/b'],
      ['Content-Length', '5'],
      ['Accept-Language', 'de'],
    )
    expect(environ).toMatchObject({
      CONTENT_TYPE: 'a/b',
      CONTENT_LENGTH: '5',
      HTTP_ACCEPT_LANGUAGE: 'de',
    })
    expect(Object.keys(environ).filter((key) => key.startsWith('HTTP_'))).toEqual([
      'HTTP_ACCEPT_LANGUAGE',
    ])
  })

  test('several of one name are joined, cookies by their own rule', () => {
    const environ = withHeaders(
      ['X-A', '1'],
      ['Cookie', 'a=1'],
      ['x-a', ''],
      ['cookie', 'b=2'],
      ['X-A', '3'],
    )
    expect(environ).toMatchObject({ HTTP_X_A: '1,,3', HTTP_COOKIE: 'a=1; b=2' })
  })

  test('one that could pass for another is left out', () => {
    const environ = withHeaders(
      ['X_Real_IP', 'evil'],
      ['Content_Length', '0'],
      ['X-Real-IP', 'good'],
    )
    expect(environ.HTTP_X_REAL_IP).toBe('good')
    expect(environ.CONTENT_LENGTH).toBeUndefined()
    expect(withHeaders(['Proxy', 'http://evil'], ['PROXY', 'x']).HTTP_PROXY).toBeUndefined()
    expect(withHeaders(['Proxy-Authorization', 'x']).HTTP_PROXY_AUTHORIZATION).toBe('x')
  })

  test('no header reaches a variable that is not one of a header', () => {
    const plain = environOf({})
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"), minLength: 1 }),
        (name) => {
          const key = environKey(name)
          expect(key).toMatch(/^(HTTP_|CONTENT_(TYPE|LENGTH)$)/)
          for (const [other, value] of Object.entries(withHeaders([name, 'x']))) {
            if (!key.startsWith(other))
              expect([other, typeof value]).toEqual([other, typeof plain[other]])
          }
        },
      ),
    )
    for (const name of [
      '__proto__',
      'constructor',
      'wsgi.input',
      'PATH-INFO',
      'remote-addr',
      'https',
    ]) {
      const environ = withHeaders([name, 'evil'])
      expect(Object.getPrototypeOf(environ)).toBe(Object.prototype)
      expect(environ).toMatchObject({ PATH_INFO: '/', REMOTE_ADDR: '' })
      expect(environ.HTTPS).toBeUndefined()
    }
  })

  test('values are passed on for every byte', () => {
    const value = latin1Text(Uint8Array.from({ length: 256 }, (_, code) => code))
    expect(withHeaders(['X', value]).HTTP_X).toBe(value)
  })
})

describe('percent encoding', () => {
  test('a path encodes and decodes to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const view = latin1Text(bytes)
        const encoded = encodePercent(view)
        expect(decodePercent(encoded)).toBe(view)
        expect(encoded).toMatch(/^(%[0-9A-F]{2}|[A-Za-z0-9\-._~!$&'()*+,;=:@/])*$/)
      }),
    )
  })

  test('a character that stands for no byte is refused', () => {
    expect(() => encodePercent('/€')).toThrow(WSGIError)
  })
})
