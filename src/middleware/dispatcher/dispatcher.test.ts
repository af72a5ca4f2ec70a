import { describe, expect, test, vi } from 'vitest'
import { callForAnswer, type TestRequest } from '../../../tests/support/call-application.ts'
import { latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIObject } from '../../wsgi/types.ts'
import { dispatcher, type Mounts } from './dispatcher.ts'

/** An application that says its name, and where it believes to be. */
function named(name: string): WSGIApplication {
  return (environ, startResponse) => {
    startResponse('200 OK', [])
    return [latin1Bytes(`${name} ${environ.SCRIPT_NAME}|${environ.PATH_INFO}`)]
  }
}

const byName = (key: string): Mounts => ({ [key]: named('mounted') }) as Mounts

async function asked(
  app: WSGIApplication,
  target: string,
  host = 'localhost',
  rest: TestRequest = {},
) {
  return (await callForAnswer(app, { target, headers: [['Host', host]], ...rest })).body
}

describe('by path', () => {
  const app = dispatcher(named('pages'), {
    '/api': named('api'),
    '/api/v2': named('v2'),
    '/shop/café': named('café'),
  })

  test.each([
    ['/', 'pages |/'],
    ['/api', 'api /api|'],
    ['/api/', 'api /api|/'],
    ['/api/users/3', 'api /api|/users/3'],
    ['/apis', 'pages |/apis'],
    ['/API', 'pages |/API'],
    ['/api/v2', 'v2 /api/v2|'],
    ['/api/v2/x', 'v2 /api/v2|/x'],
    ['/api/v21', 'api /api|/v21'],
    ['/api//v2', 'api /api|//v2'],
    ['/api//', 'api /api|//'],
    ['//api', 'pages |//api'],
    ['/x/api', 'pages |/x/api'],
    ['/api%2Fv2%2Fx', 'v2 /api/v2|/x'],
    ['/%61pi/x', 'api /api|/x'],
    ['/api/../x', 'api /api|/../x'],
    ['*', 'pages |*'],
    ['', 'pages |'],
    ['api/x', 'pages |api/x'],
  ])('%s goes to %s', async (target, expected) => {
    expect(await asked(app, target)).toBe(expected)
  })

  test('a key is text, and matches the bytes of its UTF-8', async () => {
    expect(await asked(app, '/shop/caf%C3%A9/menu')).toBe('café /shop/caf\xc3\xa9|/menu')
  })

  test('a dispatcher under a dispatcher adds to SCRIPT_NAME', async () => {
    const outer = dispatcher({ '/a': dispatcher({ '/b': named('inner') }) })
    expect(await asked(outer, '/a/b/c')).toBe('inner /a/b|/c')
  })

  test('a mount behind a server that has a mount of its own adds to its SCRIPT_NAME', async () => {
    expect(await asked(app, '/api/x', 'localhost', { mount: '/site' })).toBe('api /site/api|/x')
  })

  test('an application that is an object is mounted as well, as is one that is named like the method of one', async () => {
    const object: WSGIObject = { wsgi: named('object') as WSGIObject['wsgi'] }
    expect(await asked(dispatcher(object, { '/wsgi': object }), '/wsgi/x')).toBe('object /wsgi|/x')
    expect(await asked(dispatcher(object, {}), '/x')).toBe('object |/x')
  })

  test.each([
    ['left out', dispatcher({ '/api': named('api') })],
    ['null', dispatcher(null, { '/api': named('api') })],
    ['undefined', dispatcher(undefined, { '/api': named('api') })],
  ])('a fallback that is %s is 404 in plain text', async (_, app) => {
    const answer = await callForAnswer(app, { target: '/other' })
    expect(answer).toMatchObject({ status: '404 Not Found', body: 'Not Found\n', complete: true })
    expect(answer.header('Content-Length')).toBe('10')
  })

  test("names of an object's own methods are no mounts", async () => {
    expect(
      (await callForAnswer(dispatcher({ '/a': named('a') }), { target: '/constructor' })).status,
    ).toBe('404 Not Found')
    expect(await asked(app, '/x', '__proto__')).toBe('pages |/x')
  })

  test('a path of very many slashes is looked up no more often than the longest mount has space for', async () => {
    const looked = vi.spyOn(Map.prototype, 'get')
    try {
      const body = await asked(app, `/x${'/'.repeat(100_000)}`)
      const paths = looked.mock.calls.filter(
        ([key]) => typeof key === 'string' && key.startsWith('/x'),
      )
      expect(body).toMatch(/^pages \|\/x\//)
      expect(paths.length).toBeGreaterThan(0)
      expect(paths.length).toBeLessThan('/shop/café'.length + 2)
    } finally {
      looked.mockRestore()
    }
  })
})

describe('by host', () => {
  const app = dispatcher(named('fallback'), {
    '/api': named('any/api'),
    '/only': named('any/only'),
    'example.com': named('site'),
    'example.com/api': named('site/api'),
    '*.example.com/api': named('tenants/api'),
    '*.eu.example.com/api': named('eu/api'),
    'status.example.com/api': named('status/api'),
    localhost: named('local'),
    '[::1]/api': named('v6/api'),
    '//intranet/api': named('intranet/api'),
  })

  test.each([
    ['example.com', '/', 'site |/'],
    ['example.com', '/api/x', 'site/api /api|/x'],
    ['EXAMPLE.com:8080', '/api', 'site/api /api|'],
    ['example.com.', '/api', 'site/api /api|'],
    ['a.example.com', '/api', 'tenants/api /api|'],
    ['a.b.example.com', '/api', 'tenants/api /api|'],
    ['a.eu.example.com', '/api', 'eu/api /api|'],
    ['eu.example.com', '/api', 'tenants/api /api|'],
    ['status.example.com', '/api', 'status/api /api|'],
    ['a.example.com', '/only', 'any/only /only|'],
    ['a.example.com', '/', 'fallback |/'],
    ['.example.com', '/api', 'any/api /api|'],
    ['evilexample.com', '/api', 'any/api /api|'],
    ['example.com.evil.test', '/api', 'any/api /api|'],
    ['localhost:8000', '/api', 'local |/api'],
    ['[::1]:8000', '/api/', 'v6/api /api|/'],
    ['[::1', '/api', 'any/api /api|'],
    ['intranet', '/api', 'intranet/api /api|'],
    ['', '/api', 'local |/api'], // then it is SERVER_NAME that counts
  ])('%s%s goes to %s', async (host, target, expected) => {
    expect(await asked(app, target, host)).toBe(expected)
  })

  test('without a Host header, SERVER_NAME is the host', async () => {
    expect(await asked(app, '/', '', { headers: [], serverName: 'example.com' })).toBe('site |/')
  })

  test('a key is compared in lower case, an IPv6 address in its normal form', async () => {
    const app = dispatcher({ 'Example.COM': named('site'), '[0:0::1]': named('v6') })
    expect(await asked(app, '/', 'example.com')).toBe('site |/')
    expect(await asked(app, '/', '[::1]')).toBe('v6 |/')
  })
})

describe('refused at set-up', () => {
  test.each([
    ['', 'fallback'],
    ['/', 'fallback'],
    ['/api/', 'must not end with a slash: "/api"'],
    ['example.com/', 'must not end with a slash: "example.com"'],
    ['/a//b', 'empty segment'],
    ['/a/../b', '".."'],
    ['/a?b', 'query'],
    ['/a%20b', 'decoded'],
    ['/a\nb', 'control character'],
    ['api', 'write "//api"'],
    ['api/v2', '"/api/v2"'],
    ['example.com:8080', 'port'],
    ['[::1]:80', 'port'],
    ['[::1', 'IPv6'],
    ['[1:2]', 'IPv6'],
    ['https://example.com', 'scheme'],
    ['*', '*.example.com'],
    ['a.*.example.com', '*.example.com'],
    ['*example.com', '*.example.com'],
    ['bücher.example', '"xn--bcher-kva.example"'],
    ['exa mple.com', 'host name'],
    ['.example.com', 'host name'],
    ['example..com', 'host name'],
  ])('the mount %j, with a message that has %j', (key, part) => {
    expect(() => dispatcher(byName(key))).toThrow(
      expect.objectContaining({
        name: 'RangeError',
        code: 'bad-option',
        message: expect.stringContaining(part),
      }),
    )
  })

  test('two keys that are the same mount', () => {
    expect(() => dispatcher({ 'example.com': named('a'), 'EXAMPLE.com': named('b') })).toThrow(
      'mounted twice',
    )
  })

  test.each([
    [
      'a mount that is no application',
      () => dispatcher({ '/a': 'x' } as unknown as Mounts),
      'the mount "/a"',
    ],
    [
      'a fallback that is none',
      () => dispatcher(7 as unknown as WSGIApplication, {}),
      'the fallback',
    ],
    ['no mounts', () => dispatcher(named('a'), null as unknown as Mounts), 'the mounts must be'],
    [
      'an application only',
      () => dispatcher(named('a') as unknown as Mounts),
      'the mounts must be',
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})
