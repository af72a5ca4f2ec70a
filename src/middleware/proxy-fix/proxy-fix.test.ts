import { describe, expect, test } from 'vitest'
import { callForAnswer } from '../../../tests/support/call-application.ts'
import type { WSGIApplication, WSGIEnvironment } from '../../wsgi/types.ts'
import { type ProxyFixOptions, proxyFix } from './proxy-fix.ts'

/** What of the environ is different from what came, behind `proxyFix`. */
async function changed(
  options: ProxyFixOptions | undefined,
  headers: Record<string, string>,
  scheme = 'http',
) {
  let seen: WSGIEnvironment | undefined
  const app: WSGIApplication = (environ, startResponse) => {
    seen = environ
    startResponse('200 OK', [])
    return []
  }
  const before: Record<string, unknown> = {}
  await callForAnswer(
    (environ, startResponse) => {
      Object.assign(before, environ)
      return (proxyFix(options)(app) as (...args: unknown[]) => [])(environ, startResponse)
    },
    {
      headers: [['Host', 'inner:8000'], ...Object.entries(headers)],
      mount: '/inner',
      scheme,
      serverName: 'inner',
      serverPort: 8000,
      remoteAddress: '10.0.0.1',
      remotePort: 4000,
    },
  )
  const after: Record<string, unknown> = { ...seen }
  delete after['monoceros.proxyFix.original']
  return Object.fromEntries(
    [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((key) => before[key] !== after[key])
      .map((key) => [key, after[key]]),
  )
}

describe('X-Forwarded-*', () => {
  const all = { for: 1, proto: 1, host: 1, port: 1, prefix: 1 }

  test.each<[string, ProxyFixOptions | undefined, Record<string, string>, Record<string, unknown>]>(
    [
      ['nothing sent, nothing changed', all, {}, {}],
      [
        'address and scheme by default, nothing else',
        undefined,
        {
          'X-Forwarded-For': '192.0.2.1',
          'X-Forwarded-Proto': 'https',
          'X-Forwarded-Host': 'evil.test',
          'X-Forwarded-Port': '1',
          'X-Forwarded-Prefix': '/evil',
          Forwarded: 'for=6.6.6.6;host=evil.test',
        },
        { REMOTE_ADDR: '192.0.2.1', 'wsgi.url_scheme': 'https', HTTPS: 'on' },
      ],
      [
        'the last value of one proxy',
        undefined,
        { 'X-Forwarded-For': '6.6.6.6, 192.0.2.1' },
        { REMOTE_ADDR: '192.0.2.1' },
      ],
      [
        'the last but one of two',
        { for: 2 },
        { 'X-Forwarded-For': '6.6.6.6, 192.0.2.1, 10.0.0.2' },
        { REMOTE_ADDR: '192.0.2.1' },
      ],
      ['fewer values than proxies', { for: 2 }, { 'X-Forwarded-For': '6.6.6.6' }, {}],
      ['no proxy for this header', { for: 0 }, { 'X-Forwarded-For': '6.6.6.6' }, {}],
      [
        'a host',
        all,
        { 'X-Forwarded-Host': 'example.com' },
        { HTTP_HOST: 'example.com', SERVER_NAME: 'example.com' },
      ],
      [
        'a host with a port',
        all,
        { 'X-Forwarded-Host': 'example.com:444' },
        { HTTP_HOST: 'example.com:444', SERVER_NAME: 'example.com', SERVER_PORT: '444' },
      ],
      [
        'a host in brackets',
        all,
        { 'X-Forwarded-Host': '[::1]' },
        { HTTP_HOST: '[::1]', SERVER_NAME: '[::1]' },
      ],
      [
        'a port',
        all,
        { 'X-Forwarded-Port': '443' },
        { HTTP_HOST: 'inner:443', SERVER_PORT: '443' },
      ],
      [
        'a host in brackets and a port',
        all,
        { 'X-Forwarded-Host': '[::1]:80', 'X-Forwarded-Port': '443' },
        { HTTP_HOST: '[::1]:443', SERVER_NAME: '[::1]', SERVER_PORT: '443' },
      ],
      ['a prefix', all, { 'X-Forwarded-Prefix': '/outer' }, { SCRIPT_NAME: '/outer' }],
      [
        'a prefix with a slash at its end',
        all,
        { 'X-Forwarded-Prefix': '/outer/' },
        { SCRIPT_NAME: '/outer' },
      ],
      ['the root as prefix', all, { 'X-Forwarded-Prefix': '/' }, { SCRIPT_NAME: '' }],
      [
        'a scheme in capitals',
        all,
        { 'X-Forwarded-Proto': 'HTTPS' },
        { 'wsgi.url_scheme': 'https', HTTPS: 'on' },
      ],
    ],
  )('%s', async (_, options, headers, expected) => {
    expect(await changed(options, headers)).toEqual(expected)
  })

  test('HTTPS goes where the client did not use it', async () => {
    expect(await changed(undefined, { 'X-Forwarded-Proto': 'http' }, 'https')).toEqual({
      'wsgi.url_scheme': 'http',
      HTTPS: undefined,
    })
  })

  test.each<[string, string]>([
    ['For', '1.2.3.4 5.6.7.8'],
    ['For', '<script>'],
    ['For', '1.2.3.4"'],
    ['For', '""'],
    ['Proto', 'https://'],
    ['Proto', '1'],
    ['Proto', 'a b'],
    ['Host', 'a/b'],
    ['Host', 'user@a'],
    ['Host', 'a:b'],
    ['Host', 'a:99999'],
    ['Host', '::1'],
    ['Host', '[::1'],
    ['Host', '[:::]'],
    ['Host', 'caf\xe9'],
    ['Host', 'a\\b'],
    ['Port', '-1'],
    ['Port', '65536'],
    ['Port', '80a'],
    ['Prefix', 'outer'],
    ['Prefix', '//evil.test'],
    ['Prefix', '/\\evil.test'],
    ['Prefix', '/a?b'],
    ['Prefix', 'https://evil.test'],
  ])('a malformed value is ignored: X-Forwarded-%s: %s', async (name, value) => {
    expect(await changed(all, { [`X-Forwarded-${name}`]: value })).toEqual({})
  })

  test.each(['"', '"6.6.6.6', 'a"b', '\\', '"\\'])(
    'whatever a client sends first, the value of its proxy is taken: %s',
    async (sent) => {
      expect(await changed(all, { 'X-Forwarded-For': `${sent}, 192.0.2.1` })).toEqual({
        REMOTE_ADDR: '192.0.2.1',
      })
    },
  )
})

describe('Forwarded', () => {
  test.each<[string, ProxyFixOptions, string, Record<string, unknown>]>([
    [
      'address, port, scheme and host',
      { forwarded: 1 },
      'for="[2001:db8::1]:4711";proto=https;host="example.com:444"',
      {
        REMOTE_ADDR: '2001:db8::1',
        REMOTE_PORT: '4711',
        'wsgi.url_scheme': 'https',
        HTTPS: 'on',
        HTTP_HOST: 'example.com:444',
        SERVER_NAME: 'example.com',
        SERVER_PORT: '444',
      },
    ],
    [
      'an address without a port',
      { forwarded: true },
      'for=192.0.2.1',
      { REMOTE_ADDR: '192.0.2.1', REMOTE_PORT: '' },
    ],
    [
      'a client that is not named is not the proxy',
      { forwarded: 1 },
      'for=unknown',
      { REMOTE_ADDR: '', REMOTE_PORT: '' },
    ],
    [
      'nor is one that is hidden',
      { forwarded: 1 },
      'for=_x1',
      { REMOTE_ADDR: '', REMOTE_PORT: '' },
    ],
    [
      'the outermost of two proxies',
      { forwarded: 2 },
      'for=6.6.6.6, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http',
      { REMOTE_ADDR: '192.0.2.1', REMOTE_PORT: '', 'wsgi.url_scheme': 'https', HTTPS: 'on' },
    ],
    ['fewer elements than proxies', { forwarded: 2 }, 'for=6.6.6.6', {}],
    ['not counted', { forwarded: false }, 'for=6.6.6.6', {}],
    ['malformed', { forwarded: 1 }, 'for=6.6.6.6;for=7.7.7.7', {}],
    ['a value that is no address', { forwarded: 1 }, 'for=example.com;host="a/b";proto="a b"', {}],
  ])('%s', async (_, options, header, expected) => {
    expect(await changed(options, { Forwarded: header })).toEqual(expected)
  })

  test('where it is counted, X-Forwarded-* is not, but for the prefix', async () => {
    const headers = {
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Prefix': '/outer',
    }
    expect(await changed({ forwarded: 1, prefix: 1 }, headers)).toEqual({ SCRIPT_NAME: '/outer' })
  })
})

test('the values as they came are kept, without those that were not there', async () => {
  let original: unknown
  const app: WSGIApplication = (environ, startResponse) => {
    original = environ['monoceros.proxyFix.original']
    startResponse('200 OK', [])
    return []
  }
  await callForAnswer(proxyFix()(app), {
    headers: [['X-Forwarded-For', '192.0.2.1']],
    remoteAddress: '10.0.0.1',
    remotePort: 4000,
    serverPort: 8000,
  })
  expect(original).toEqual({
    REMOTE_ADDR: '10.0.0.1',
    REMOTE_PORT: '4000',
    'wsgi.url_scheme': 'http',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '8000',
    SCRIPT_NAME: '',
  })
})

test.each<[unknown, string]>([
  [{ for: -1 }, 'for must be the number of proxies'],
  [{ host: 1.5 }, 'host must be the number of proxies'],
  [{ prefix: '1' }, 'prefix must be the number of proxies'],
  [{ forwarded: 'yes' }, 'forwarded must be the number of proxies'],
  [{ x_for: 1 }, 'there is no option x_for'],
  [{ forwarded: 1, for: 1 }, 'forwarded and for cannot both be trusted'],
  [{ forwarded: true, port: 2 }, 'forwarded and port cannot both be trusted'],
  [() => [], 'the argument must be an object'],
  [null, 'the argument must be an object'],
])('%j is refused at set-up', (options, message) => {
  expect(() => proxyFix(options as ProxyFixOptions)).toThrow(
    expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }),
  )
})
