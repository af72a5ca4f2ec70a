import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHead } from '../../tests/support/scripted-engine.ts'
import type { Peer } from '../http/exchange.ts'
import type { HeadLimits } from '../http/limits.ts'
import type { RequestHead } from '../http/request-head.ts'
import { EnvironWriter, usualEnviron } from './environ.ts'
import { encodeString } from './marshal.ts'

const HEADER = { clientAddress: '192.0.2.7', clientPort: 4711, secure: false }

const PYTHON = `
import json, marshal, struct, sys
sys.path.insert(0, "python")
from monoceros.environ import SHARED, read_environ
bases = {}
data = sys.stdin.buffer.read()
at = 0
while at < len(data):
    (size,) = struct.unpack_from("<I", data, at)
    payload = data[at : at + 4 + size]
    at += 4 + size
    if payload[4] == SHARED:
        value = read_environ({}, bases, 0, payload, 0, len(payload), None)
        del value["wsgi.input"]
    else:
        value = marshal.loads(payload[4:])
    assert type(value) in (dict, str)
    print(json.dumps(value))
`

/** What a worker makes of each: of an environ, or of a marshalled value. */
function loads(all: readonly Uint8Array[]): unknown[] {
  const input = Buffer.concat(
    all.flatMap((one) => {
      const size = Buffer.alloc(4)
      size.writeUInt32LE(one.length)
      return [size, one]
    }),
  )
  const { stdout, stderr, status } = spawnSync('python3', ['-c', PYTHON], {
    input,
    maxBuffer: 1 << 28,
  })
  expect(status, stderr.toString()).toBe(0)
  const lines = stdout.toString().split('\n').slice(0, -1)
  expect(lines.length).toBe(all.length)
  return lines.map((line) => JSON.parse(line))
}

function makePeer(changes: Partial<Peer> = {}): Peer {
  return {
    remoteAddress: '192.0.2.7',
    remotePort: 4711,
    localAddress: '198.51.100.1',
    localPort: 8000,
    encrypted: false,
    tls: null,
    environPart: null,
    ...changes,
  }
}

const TLS: NonNullable<Peer['tls']> = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  serverName: null,
  alpn: null,
  resumed: false,
  client: null,
}

function parse(text: string, facts: Facts): RequestHead {
  const head = parseHead(text, facts.limits)
  head.secure = facts.secure ?? false
  head.scriptName = facts.scriptName ?? null
  return head
}

interface Facts {
  rootPath?: string
  peer?: Peer
  secure?: boolean
  scriptName?: string
  readLength?: number
  limits?: Partial<HeadLimits>
  writer?: EnvironWriter
}

/** The marshalled environ of a request. Nothing is written beyond the bound. */
function write(text: string, facts: Facts = {}): Buffer {
  const writer = facts.writer ?? new EnvironWriter(facts.rootPath ?? '')
  const all = {
    head: parse(text, facts),
    peer: facts.peer ?? makePeer(),
    readLength: facts.readLength ?? -1,
  }
  const bound = writer.bound(all)
  const out = Buffer.alloc(bound + 8, 0xee)
  const end = writer.write(all, out, 3)
  expect(end - 3).toBeLessThanOrEqual(bound)
  return out.subarray(3, end)
}

function environs(...all: [text: string, facts?: Facts | undefined][]): Record<string, string>[] {
  const written = loads(all.map(([text, facts]) => write(text, facts ?? {}))) as Record<
    string,
    string
  >[]
  // As the worker does it.
  return written.map((one, i) => ({ ...usualEnviron(all[i]![1]?.rootPath ?? ''), ...one }))
}

const environ = (text: string, facts?: Facts) => environs([text, facts])[0]!
const get = (target: string, fields = '') => `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe('marshalled strings', () => {
  it('are what Python reads, for every byte and around every length that matters', () => {
    const texts = [
      ...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)),
      String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte)),
      ...[0, 1, 254, 255, 256, 257, 65_535, 65_536, 70_000].flatMap((length) => [
        'a'.repeat(length),
        'é'.repeat(length),
        `${'a'.repeat(length)}ÿ`,
      ]),
      ...fc.sample(
        fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
        200,
      ),
    ]
    expect(loads(texts.map((text) => encodeString(text)))).toEqual(texts)
  })
})

describe('an environ', () => {
  it('is mounted where a proxy says', () => {
    const path = '/shop/x'
    for (const scriptName of ['', '/shop', '/other', `/${'é'.repeat(4000)}`]) {
      expect(environ(get(path), { rootPath: '/root', scriptName })).toMatchObject({
        SCRIPT_NAME: scriptName,
        PATH_INFO: scriptName === '/shop' ? '/x' : path,
      })
    }
  })

  it('has what a header of the PROXY protocol says', () => {
    const proxied = {
      ...HEADER,
      protocol: 'TCP6',
      proxyAddress: 'fd00::1',
      proxyPort: 443,
      sender: '::1',
    }
    const facts = { peer: makePeer({ proxied }) }
    expect(environ(get('/'), facts)).toMatchObject({
      PROXY_PROTOCOL: 'TCP6',
      PROXY_ADDR: 'fd00::1',
      PROXY_PORT: '443',
      REMOTE_ADDR: '192.0.2.7',
    })
  })

  it('has the variables of PEP 3333 and RFC 3875', () => {
    expect(
      environ(
        'POST /a%20b/c?q=1&r=%41 HTTP/1.1\r\nHost: example.org:8000\r\nContent-Type: ' +
          'text/plain\r\n' +
          'Content-Length: 3\r\nAccept-Language: de\r\nX-Custom: y\r\nEmpty:\r\n\r\n',
      ),
    ).toEqual({
      REQUEST_METHOD: 'POST',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/c',
      QUERY_STRING: 'q=1&r=%41',
      RAW_URI: '/a%20b/c?q=1&r=%41',
      REQUEST_URI: '/a%20b/c?q=1&r=%41',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: '198.51.100.1',
      SERVER_PORT: '8000',
      REMOTE_ADDR: '192.0.2.7',
      REMOTE_PORT: '4711',
      'wsgi.url_scheme': 'http',
      HTTP_HOST: 'example.org:8000',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '3',
      HTTP_ACCEPT_LANGUAGE: 'de',
      HTTP_X_CUSTOM: 'y',
      HTTP_EMPTY: '',
    })
  })

  it('knows the scheme, the version and the method', () => {
    const [secure, old, other] = environs(
      [get('/'), { secure: true }],
      ['HEAD / HTTP/1.0\r\n\r\n'],
      ['X-METHOD / HTTP/1.1\r\nHost: a\r\n\r\n'],
    )
    expect(secure).toMatchObject({ 'wsgi.url_scheme': 'https', HTTPS: 'on' })
    expect(old).toMatchObject({ REQUEST_METHOD: 'HEAD', SERVER_PROTOCOL: 'HTTP/1.0' })
    expect(old).not.toHaveProperty('HTTPS')
    expect(old).not.toHaveProperty('HTTP_HOST')
    expect(other).toMatchObject({ REQUEST_METHOD: 'X-METHOD' })
  })

  it('has one value where a field came several times', () => {
    const long = 'X'.repeat(80)
    const result = environ(
      get(
        '/',
        'Accept: a\r\nCookie: a=1\r\nX-Mine: 1\r\nAccept: b\r\nCookie: b=2\r\nx-mine: 2\r\n' +
          'X-MINE:\r\n' +
          `${long}: 1\r\n${long.toLowerCase()}: 2\r\n`,
      ),
    )
    expect(result).toMatchObject({
      HTTP_ACCEPT: 'a,b',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_X_MINE: '1,2,',
      [`HTTP_${long}`]: '1,2',
    })
  })

  it('joins each request’s fields anew, with one writer for all', () => {
    const writer = new EnvironWriter('')
    const results = environs(
      [get('/', 'Accept: a\r\nAccept: b\r\n'), { writer }],
      [get('/', 'Accept: c\r\n'), { writer }],
      [get('/'), { writer }],
    )
    expect(results.map(({ HTTP_ACCEPT }) => HTTP_ACCEPT)).toEqual(['a,b', 'c', undefined])
  })

  it('joins names that were pushed out of the cache of names meanwhile', () => {
    const many = Array.from({ length: 30_000 }, (_, i) => `x-filler-${i}`)
    const text = get(
      '/',
      `X-Twice: 1\r\n${many.map((name) => `${name}: 1\r\n`).join('')}X-Twice: 2\r\n`,
    )
    // CPU time, because the machine may be busy. Comparing each name with all would take minutes.
    const before = process.cpuUsage()
    write(text, { limits: { fields: 0, head: 0 } })
    const { user } = process.cpuUsage(before)
    expect(user / 1000, 'milliseconds, which must not grow with the square').toBeLessThan(5000)
    expect(environ(text, { limits: { fields: 0, head: 0 } })).toMatchObject({
      HTTP_X_TWICE: '1,2',
      HTTP_X_FILLER_29999: '1',
    })
  })

  it('has as many fields as are allowed', () => {
    const fields = Array.from({ length: 99 }, (_, i) => `X-${i}: ${i}\r\n`).join('')
    const result = environ(get('/', fields))
    for (let i = 0; i < 99; i++) expect(result[`HTTP_X_${i}`]).toBe(String(i))
  })

  it('has the bytes of a target that were not escaped as they were', () => {
    const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i)).join('')
    for (const start of ['', 'http://x']) {
      const target = `/${high}%C3%A9?${high}`
      expect(environ(`GET ${start}${target} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatchObject({
        PATH_INFO: `/${high}\xc3\xa9`,
        QUERY_STRING: high,
        RAW_URI: start + target,
        REQUEST_URI: start + target,
      })
    }
  })

  it('takes the host from an absolute target', () => {
    const result = environ('GET http://real.example:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n')
    expect(result).toMatchObject({
      HTTP_HOST: 'real.example:81',
      PATH_INFO: '/p',
      QUERY_STRING: 'q',
      RAW_URI: 'http://real.example:81/p?q',
    })
  })

  it('has an empty path for the asterisk', () => {
    const result = environ('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', { rootPath: '/shop' })
    expect(result).toMatchObject({ PATH_INFO: '', RAW_URI: '*', SCRIPT_NAME: '/shop' })
  })

  it('takes the root path off where it is', () => {
    const paths = [
      '/shop/cart',
      '/shop',
      '/shop/',
      '/shopping',
      '/other',
      '/%73hop/x',
      '/shop%2Fx',
      '/',
    ]
    const results = environs(
      ...paths.map((path): [string, Facts] => [get(path), { rootPath: '/shop' }]),
      [get('/caf%C3%A9/x'), { rootPath: '/café' }],
    )
    expect(results.map(({ PATH_INFO }) => PATH_INFO)).toEqual([
      '/cart',
      '',
      '/',
      '/shopping',
      '/other',
      '/x',
      '/x',
      '/',
      '/x',
    ])
    expect(new Set(results.slice(0, 8).map(({ SCRIPT_NAME }) => SCRIPT_NAME))).toEqual(
      new Set(['/shop']),
    )
    expect(results[8]!.SCRIPT_NAME).toBe('/cafÃ©') // the latin-1 view of its UTF-8
  })

  it('decodes escapes to the bytes that they mean, and leaves broken ones', () => {
    const cases: [string, string][] = [
      ['/%41%7a', '/Az'],
      ['/%00%2F%25', '/\0/%'],
      ['/%c3%A9', '/Ã©'],
      ['/%', '/%'],
      ['/%4', '/%4'],
      ['/%4g%zz%%41', '/%4g%zz%A'],
      ['/a+b', '/a+b'],
    ]
    const results = environs(...cases.map(([path]): [string] => [get(`${path}?%41`)]))
    expect(results.map(({ PATH_INFO }) => PATH_INFO)).toEqual(cases.map(([, decoded]) => decoded))
    expect(results.every(({ QUERY_STRING }) => QUERY_STRING === '%41')).toBe(true)
  })

  it('shows the length of a chunked body that has been read', () => {
    const text = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
    const [read, streamed] = environs([text, { readLength: 12 }], [text])
    expect(read!.CONTENT_LENGTH).toBe('12')
    expect(read).not.toHaveProperty('HTTP_TRANSFER_ENCODING')
    expect(streamed).not.toHaveProperty('CONTENT_LENGTH')
    expect(streamed!.HTTP_TRANSFER_ENCODING).toBe('chunked')
  })

  it('names a server on a unix socket as the client does', () => {
    const unix = () =>
      makePeer({ remoteAddress: '', remotePort: 0, localAddress: '', localPort: 0 })
    const named = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`
    const results = environs(
      [named('example.org:81'), { peer: unix() }],
      [named('example.org'), { peer: unix() }],
      [named('[::1]:82'), { peer: unix() }],
      [named('[::1]'), { peer: unix() }],
      ['GET / HTTP/1.0\r\n\r\n', { peer: unix() }],
      ['GET http://real:83/ HTTP/1.1\r\nHost: other\r\n\r\n', { peer: unix() }],
    )
    expect(results.map(({ SERVER_NAME, SERVER_PORT }) => [SERVER_NAME, SERVER_PORT])).toEqual([
      ['example.org', '81'],
      ['example.org', '80'],
      ['[::1]', '82'],
      ['[::1]', '80'],
      ['localhost', '80'],
      ['real', '83'],
    ])
    expect(
      results.every(({ REMOTE_ADDR, REMOTE_PORT }) => REMOTE_ADDR === '' && REMOTE_PORT === ''),
    ).toBe(true)
  })

  it('has what a client certificate says, which no header can', () => {
    const client = { certificate: null, problem: null }
    const serverName = 'caf\u00e9.test'
    const peer = makePeer({ tls: { ...TLS, serverName, client }, encrypted: true })
    const forged = [
      'SSL_CLIENT_VERIFY',
      'SSL-CLIENT-VERIFY',
      'HTTPS',
      'SSL_CLIENT_S_DN',
      'SSL_TLS_SNI',
    ]
    const fields = forged.map((name) => `${name}: SUCCESS\r\n`).join('')
    // The second one has what was kept of the connection.
    const facts = { peer, limits: { headerMap: 'dangerous' } } as const
    for (const seen of environs([get('/', fields), facts], [get('/', fields), facts])) {
      const ssl = Object.entries(seen).filter(([name]) => /^(SSL|HTTPS)/.test(name))
      expect(Object.fromEntries(ssl)).toEqual({
        SSL_PROTOCOL: 'TLSv1.3',
        SSL_CIPHER: 'TLS_AES_256_GCM_SHA384',
        SSL_SESSION_RESUMED: 'Initial',
        SSL_TLS_SNI: Buffer.from(serverName, 'utf8').toString('latin1'),
        SSL_CLIENT_VERIFY: 'NONE',
      })
    }
    const notAsked = makePeer({ tls: { ...TLS, client: null }, encrypted: true })
    const names = Object.keys(environ(get('/', fields), { ...facts, peer: notAsked }))
    expect(names.filter((name) => /^(SSL|HTTPS)/.test(name))).toEqual([])
  })

  it('keeps what it derived from a connection, unless it depends on the request', () => {
    const peer = makePeer()
    const first = write(get('/'), { peer })
    expect(peer.environPart).not.toBeNull()
    expect(write(get('/'), { peer }).equals(first)).toBe(true)
    const unix = makePeer({ localAddress: '', remoteAddress: '' })
    write(get('/'), { peer: unix })
    expect(unix.environPart).toBeNull()
  })

  it('never exceeds its bound, and is the same dict again in Python, whatever was sent', () => {
    const token = fc.stringMatching(/^[a-zA-Z0-9-]{1,90}$/)
    const value = fc.uint8Array({ maxLength: 300 }).map((bytes) =>
      Buffer.from(bytes)
        .toString('latin1')
        .replace(/[^\x20-\x7e\x80-\xff]/g, 'é')
        .trim(),
    )
    const name = token.filter(
      (text) =>
        !/^(host|content-length|transfer-encoding|content-type|expect|upgrade)$/i.test(text),
    )
    const marshalled: Buffer[] = []
    const expected: [string, string][][] = []
    fc.assert(
      fc.property(
        fc.stringMatching(/^\/[!-"$-~\x80-\xff]{0,300}$/),
        fc.array(fc.tuple(name, value), { maxLength: 40 }),
        fc.constantFrom('', '/shop', '/ä'.repeat(50)),
        fc.constantFrom('', '192.0.2.1', '2001:db8:1111:2222:3333:4444:5555:6666'),
        fc.boolean(),
        (target, fields, rootPath, address, unix) => {
          const lines = fields.map(([key, text]) => `${key}: ${text}\r\n`).join('')
          const host = `${'h'.repeat(200)}.example`
          const text = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`
          const peer = makePeer({ remoteAddress: address, localAddress: unix ? '' : '::1' })
          marshalled.push(write(text, { rootPath, peer, limits: { fieldSize: 0 } }))
          expected.push([
            ['RAW_URI', target],
            ['HTTP_HOST', host],
          ])
        },
      ),
      { numRuns: 300 },
    )
    for (const [i, dict] of (loads(marshalled) as Record<string, string>[]).entries()) {
      for (const [key, text] of expected[i]!) expect(dict[key]).toBe(text)
    }
  })
})
