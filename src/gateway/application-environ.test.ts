import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseHead } from '../../tests/support/scripted-engine.ts'
import type { Peer } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import { makeEnviron } from '../wsgi/environ.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { emptyInput } from '../wsgi/input-stream.ts'
import { ApplicationEnvirons } from './application-environ.ts'

const HEADER = { clientAddress: '192.0.2.7', clientPort: 4711, secure: false }

const peer = (): Peer => ({
  remoteAddress: '192.0.2.7',
  remotePort: 4711,
  localAddress: '198.51.100.1',
  localPort: 8000,
  encrypted: false,
  tls: null,
  environPart: null,
})

function parse(text: string, secure = false): RequestHead {
  const head = parseHead(text)
  head.secure = secure
  return head
}

function make(rootPath = '') {
  const environs = new ApplicationEnvirons({
    rootPath,
    serverSoftware: 'monoceros',
    multiprocess: false,
    errors: consoleErrors,
  })
  return (text: string, facts: { peer?: Peer; secure?: boolean; scriptName?: string } = {}) =>
    environs.make(
      {
        head: Object.assign(parse(text, facts.secure), { scriptName: facts.scriptName ?? null }),
        peer: facts.peer ?? peer(),
        readLength: -1,
      },
      emptyInput,
      () => {},
    )
}

describe('the environ of an application in this process', () => {
  test('has the bytes of a target that were not escaped as they were', () => {
    const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i)).join('')
    const target = `/${high}%C3%A9?${high}`
    // The second time from what is kept of targets.
    const environOf = make()
    for (const start of ['', '', 'http://x']) {
      expect(environOf(`GET ${start}${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatchObject({
        PATH_INFO: `/${high}\xc3\xa9`,
        QUERY_STRING: high,
        REQUEST_URI: start + target,
        RAW_URI: start + target,
      })
    }
  })

  test('is mounted where a proxy says, for that request only', () => {
    const environOf = make('/root')
    const ask = (scriptName?: string) => {
      const facts = scriptName === undefined ? {} : { scriptName }
      const { SCRIPT_NAME, PATH_INFO } = environOf('GET /shop/x HTTP/1.1\r\nHost: x\r\n\r\n', facts)
      return [SCRIPT_NAME, PATH_INFO]
    }
    expect(ask()).toEqual(['/root', '/shop/x'])
    expect(ask('/shop')).toEqual(['/shop', '/x'])
    expect(ask()).toEqual(['/root', '/shop/x'])
    expect(ask('')).toEqual(['', '/shop/x'])
    expect(ask('/other')).toEqual(['/other', '/shop/x'])
  })

  test('has what a header of the PROXY protocol says', () => {
    const proxied = {
      ...HEADER,
      protocol: 'TCP4',
      proxyAddress: '10.0.0.1',
      proxyPort: 443,
      sender: '::1',
    }
    const environ = make()('GET / HTTP/1.1\r\nHost: x\r\n\r\n', { peer: { ...peer(), proxied } })
    expect(environ).toMatchObject({
      PROXY_PROTOCOL: 'TCP4',
      PROXY_ADDR: '10.0.0.1',
      PROXY_PORT: '443',
    })
    const local = { ...HEADER, protocol: 'LOCAL', proxyAddress: '', proxyPort: 0, sender: '::1' }
    const other = make()('GET / HTTP/1.1\r\nHost: x\r\n\r\n', {
      peer: { ...peer(), proxied: local },
    })
    expect(other).toMatchObject({ PROXY_PROTOCOL: 'LOCAL' })
    expect(other).not.toHaveProperty('PROXY_ADDR')
  })

  test('has every variable', () => {
    const environ = make()(
      'POST /a%20b/c?d=%20e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: t/x\r\n\r\n',
    )
    expect(environ).toMatchObject({
      REQUEST_METHOD: 'POST',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/c',
      QUERY_STRING: 'd=%20e',
      REQUEST_URI: '/a%20b/c?d=%20e',
      SERVER_NAME: '198.51.100.1',
      SERVER_PORT: '8000',
      SERVER_PROTOCOL: 'HTTP/1.1',
      REMOTE_ADDR: '192.0.2.7',
      REMOTE_PORT: '4711',
      HTTP_HOST: 'x',
      CONTENT_LENGTH: '3',
      CONTENT_TYPE: 't/x',
      'wsgi.url_scheme': 'http',
    })
    expect(environ).not.toHaveProperty('HTTP_CONTENT_LENGTH')
  })

  test('a target that comes again is the same, and one of its length is not', () => {
    const environOf = make()
    for (const path of ['/abc', '/abc', '/abd', '/%61c', '/abc']) {
      const environ = environOf(`GET ${path}?q HTTP/1.1\r\nHost: x\r\n\r\n`)
      expect([environ.REQUEST_URI, environ.PATH_INFO]).toEqual([
        `${path}?q`,
        path.replace('%61', 'a'),
      ])
    }
  })

  test('Proxy and names with an underscore are left out; several fields of one name are joined', () => {
    const environ = make()(
      'GET / HTTP/1.1\r\nHost: x\r\nProxy: evil\r\nX_Real_IP: 1\r\nX-A: 1\r\nCookie: ' +
        'a=1\r\nx-a: 2\r\ncookie: b=2\r\n\r\n',
    )
    expect(environ).not.toHaveProperty('HTTP_PROXY')
    expect(environ).not.toHaveProperty('HTTP_X_REAL_IP')
    expect(environ).toMatchObject({ HTTP_X_A: '1,2', HTTP_COOKIE: 'a=1; b=2' })
  })

  test('the root path is taken off where it is there', () => {
    const environOf = make('/shop')
    for (const [target, path] of [
      ['/shop/cart', '/cart'],
      ['/shop', ''],
      ['/shopping', '/shopping'],
      ['/cart', '/cart'],
    ]) {
      const environ = environOf(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      expect([environ.SCRIPT_NAME, environ.PATH_INFO]).toEqual(['/shop', path])
    }
  })

  test('absolute, asterisk and HTTPS', () => {
    const environOf = make()
    expect(environOf('GET http://other:8080/p?q HTTP/1.1\r\nHost: x\r\n\r\n')).toMatchObject({
      HTTP_HOST: 'other:8080',
      PATH_INFO: '/p',
      REQUEST_URI: 'http://other:8080/p?q',
    })
    expect(environOf('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n').PATH_INFO).toBe('')
    const secure = environOf('GET / HTTP/1.0\r\n\r\n', { secure: true })
    expect(secure).toMatchObject({
      'wsgi.url_scheme': 'https',
      HTTPS: 'on',
      SERVER_PROTOCOL: 'HTTP/1.0',
    })
  })

  test('on a unix socket the server is what the client asked for', () => {
    const unix = {
      remoteAddress: '',
      remotePort: 0,
      localAddress: '',
      localPort: 0,
      encrypted: false,
      tls: null,
      environPart: null,
    }
    const environ = make()('GET / HTTP/1.1\r\nHost: shop.example:81\r\n\r\n', { peer: unix })
    expect(environ).toMatchObject({
      SERVER_NAME: 'shop.example',
      SERVER_PORT: '81',
      REMOTE_ADDR: '',
      REMOTE_PORT: '',
    })
  })

  test('it has what a client certificate says, which no header can', () => {
    const tls = {
      protocol: 'TLSv1.2',
      cipher: 'ECDHE-RSA-AES128-GCM-SHA256',
      serverName: null,
      alpn: null,
      resumed: true,
      client: { certificate: null, problem: null },
    }
    const forged = 'Ssl-Client-Verify: SUCCESS\r\nSsl-Client-S-Dn: CN=root\r\n'
    const secure = { peer: { ...peer(), tls, encrypted: true }, secure: true }
    const environ = make()(`GET / HTTP/1.1\r\nHost: x\r\n${forged}\r\n`, secure)
    const ssl = Object.entries(environ).filter(([name]) => /^(SSL|HTTPS)/.test(name))
    expect(Object.fromEntries(ssl)).toEqual({
      HTTPS: 'on',
      SSL_PROTOCOL: 'TLSv1.2',
      SSL_CIPHER: 'ECDHE-RSA-AES128-GCM-SHA256',
      SSL_SESSION_RESUMED: 'Resumed',
      SSL_CLIENT_VERIFY: 'NONE',
    })
  })

  const token = fc
    .stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/)
    .filter(
      (name) =>
        !/^(host|content-length|transfer-encoding|connection|expect|upgrade|content-type)$/i.test(
          name,
        ),
    )
  const value = fc.stringMatching(/^[!-~\u0080-\u00ff]{0,20}$/)
  const target = fc.stringMatching(/^\/[A-Za-z0-9%/;=.~-]{0,20}(\?[A-Za-z0-9%/;=?&-]{0,20})?$/)

  test('property: it is the one that every other way in gives (makeEnviron)', () => {
    fc.assert(
      fc.property(target, fc.array(fc.tuple(token, value), { maxLength: 12 }), (path, fields) => {
        const headers: [string, string][] = [['Host', 'x'], ...fields]
        const lines = headers.map(([name, text]) => `${name}: ${text}\r\n`).join('')
        const environ = make()(`GET ${path} HTTP/1.1\r\n${lines}\r\n`)
        const expected = makeEnviron({
          method: 'GET',
          target: path,
          headers,
          serverName: '198.51.100.1',
          serverPort: 8000,
          remoteAddress: '192.0.2.7',
          remotePort: 4711,
        })
        const strings = (of: object) =>
          Object.entries(of)
            .filter(([, one]) => typeof one === 'string')
            .sort()
        expect(strings(environ)).toEqual(strings(expected))
      }),
    )
  })
})
