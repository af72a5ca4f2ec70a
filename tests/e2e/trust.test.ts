import { once } from 'node:events'
import { connect as connectH2, constants } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { makeCertificate } from '../support/certificates.ts'
import { IPV6, sslTlv, V1, v2 } from '../support/proxy-headers.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { within } from '../support/wait-for.ts'

// What may be said of a client, and by whom. 127.0.0.1 is a trusted proxy, 127.0.0.2 an attacker;
// 10.0.0.0/8 are other trusted proxies, which are only named. The release tier also has the table
// for TypeScript, and what waits for a time-out.

const thorough = process.env.MONOCEROS_TEST_TIER === 'release'

const directory = join(appsDirectory, 'environ')
const PROXY = '127.0.0.1'
const ATTACKER = '127.0.0.2'

type Environ = Record<string, string | undefined>

interface Answer {
  /** 0 if the connection was closed or reset without an answer. */
  readonly status: number
  readonly environ: Environ
}

interface Question {
  readonly port: number
  readonly from?: string
  readonly host?: string | null
  readonly target?: string
  readonly fields?: readonly string[]
  /** Bytes that come before the request. */
  readonly preface?: Buffer | string
  /** What is sent: in one piece, the preface apart, or byte by byte. */
  readonly pieces?: 'one' | 'two' | 'bytes'
  readonly tls?: boolean
}

async function ask(question: Question): Promise<Answer> {
  const { port, from = PROXY, host = 'shop.test', target = '/shop/x' } = question
  const { fields = [], pieces = 'one', tls = false } = question
  const preface = Buffer.from(question.preface ?? '')
  const version = host === null ? '1.0' : '1.1'
  const lines = [`GET ${target} HTTP/${version}`, 'Connection: close', ...fields]
  if (host !== null) lines.push(`Host: ${host}`)
  const request = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const raw = connect({ host: '127.0.0.1', port, localAddress: from, noDelay: true })
  onTestFinished(() => void raw.destroy())
  raw.on('error', () => {})
  let socket: Socket = raw
  if (tls) {
    await write(raw, preface, pieces === 'bytes')
    socket = secure(raw)
    socket.on('error', () => {})
    socket.write(request)
  } else if (pieces === 'one') raw.write(Buffer.concat([preface, request]))
  else {
    await write(raw, preface, pieces === 'bytes')
    raw.write(request)
  }
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await within('the end of the connection', 10_000, closed)
  const text = Buffer.concat(chunks).toString('latin1')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)
  const json = /\{.*\}/s.exec(text)?.[0]
  return { status, environ: json === undefined ? {} : (JSON.parse(json) as Environ) }
}

function secure(socket: Socket, options: ConnectionOptions = {}): Socket {
  return connectTls({ ...options, socket, rejectUnauthorized: false, servername: 'shop.test' })
}

async function write(socket: Socket, bytes: Buffer, singly: boolean): Promise<void> {
  const size = singly ? 1 : Math.max(1, bytes.length)
  for (let at = 0; at < bytes.length; at += size) {
    // Each is a packet of its own.
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + size), resolve))
  }
}

// ---------------------------------------------------------------- headers

type Case = readonly [name: string, question: Omit<Question, 'port'>, expected: Environ | number]

const UNTOUCHED = {
  REMOTE_ADDR: ATTACKER,
  'wsgi.url_scheme': 'http',
  HTTPS: undefined,
  HTTP_HOST: 'shop.test',
  SERVER_NAME: '127.0.0.1',
  SCRIPT_NAME: '',
  PATH_INFO: '/shop/x',
  HTTP_X_FORWARDED_FOR: undefined,
  HTTP_X_FORWARDED_PROTO: undefined,
  HTTP_X_FORWARDED_HOST: undefined,
  HTTP_X_FORWARDED_PREFIX: undefined,
  HTTP_FORWARDED: undefined,
  HTTP_X_REAL_IP: undefined,
  HTTP_SCRIPT_NAME: undefined,
}
const CLAIMS = [
  'X-Forwarded-For: 10.0.0.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-Port: 443',
  'X-Forwarded-Prefix: /shop',
  'X-Forwarded-Ssl: on',
  'Forwarded: for=10.0.0.1;proto=https;host=evil.test',
  'X-Real-IP: 10.0.0.1',
  'SCRIPT_NAME: /shop',
]
const VISITOR = 'X-Forwarded-For: 1.2.3.4'

const legacyCases: readonly Case[] = [
  ['an attacker says nothing that counts', { from: ATTACKER, fields: CLAIMS }, UNTOUCHED],
  [
    'a proxy says who the client is, and what it asked for',
    {
      host: 'inner:8000',
      fields: [
        VISITOR,
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: www.shop.test',
        'X-Forwarded-Port: 8443',
        'X-Forwarded-Prefix: /shop/',
      ],
    },
    {
      REMOTE_ADDR: '1.2.3.4',
      REMOTE_PORT: '',
      'wsgi.url_scheme': 'https',
      HTTPS: 'on',
      HTTP_HOST: 'www.shop.test:8443',
      SERVER_NAME: 'www.shop.test',
      SERVER_PORT: '8443',
      SCRIPT_NAME: '/shop',
      PATH_INFO: '/x',
    },
  ],
  [
    'the proxy has appended to what an attacker sent',
    { fields: ['X-Forwarded-For: 10.0.0.1, 127.0.0.1, 1.2.3.4'] },
    { REMOTE_ADDR: '1.2.3.4', HTTP_X_FORWARDED_FOR: '1.2.3.4' },
  ],
  [
    'the proxy has added a field to those of an attacker',
    { fields: ['X-Forwarded-For: 10.0.0.1', VISITOR, 'X-Forwarded-For: 10.0.0.7'] },
    { REMOTE_ADDR: '1.2.3.4' },
  ],
  [
    'an attacker hides behind a quote',
    { fields: ['X-Forwarded-For: "10.0.0.1, 1.2.3.4'] },
    { REMOTE_ADDR: '1.2.3.4' },
  ],
  [
    'an attacker sends eight thousand bytes of addresses',
    { fields: [`X-Forwarded-For: ${'10.0.0.1,'.repeat(880)}1.2.3.4`] },
    { REMOTE_ADDR: '1.2.3.4', HTTP_X_FORWARDED_FOR: '1.2.3.4' },
  ],
  [
    'an attacker claims another host to a proxy that does not say one',
    { fields: [VISITOR, 'Forwarded: for=10.0.0.1;host=evil.test'] },
    { HTTP_HOST: 'shop.test', HTTP_FORWARDED: undefined },
  ],
  [
    'IPv6 with a port',
    { fields: ['X-Forwarded-For: [2001:db8::9]:99'] },
    { REMOTE_ADDR: '2001:db8::9', REMOTE_PORT: '99' },
  ],
  [
    'an unknown client',
    { fields: ['X-Forwarded-For: unknown'] },
    { REMOTE_ADDR: '', REMOTE_PORT: '' },
  ],
  ['garbage', { fields: ['X-Forwarded-For: 10.0.0.1, <script>'] }, { REMOTE_ADDR: '' }],
  ['the proxy itself', {}, { REMOTE_ADDR: PROXY, HTTP_HOST: 'shop.test' }],
  [
    'headers that contradict each other',
    { fields: ['X-Forwarded-Proto: http', 'X-Forwarded-Ssl: on'] },
    400,
  ],
  [
    'SCRIPT_NAME of a proxy',
    { fields: ['SCRIPT_NAME: /shop'] },
    { SCRIPT_NAME: '/shop', PATH_INFO: '/x' },
  ],
  ['SCRIPT_NAME that leads elsewhere', { fields: ['SCRIPT_NAME: //evil.test'] }, 400],
  // --allowed-hosts
  ['an unknown host', { from: ATTACKER, host: 'evil.test' }, 421],
  ['a name that ends like one of ours', { from: ATTACKER, host: 'evilshop.test' }, 421],
  ['an unknown host in the target', { from: ATTACKER, target: 'http://evil.test/' }, 421],
  [
    'a host of ours in the target',
    { from: ATTACKER, target: 'http://SHOP.test./', host: 'evil.test' },
    { HTTP_HOST: 'SHOP.test.' },
  ],
  ['no host', { from: ATTACKER, host: null }, 400],
  ['a malformed host', { from: ATTACKER, host: 'shop.test@evil' }, 400],
  [
    'a health check by address',
    { from: ATTACKER, host: '127.0.0.1:8000' },
    { HTTP_HOST: '127.0.0.1:8000' },
  ],
  [
    'an attacker with a forwarded host of ours',
    { from: ATTACKER, host: 'evil.test', fields: ['X-Forwarded-Host: shop.test'] },
    421,
  ],
  ['a proxy that forwards an unknown host', { fields: ['X-Forwarded-Host: evil.test'] }, 421],
]

const standardCases: readonly Case[] = [
  ['an attacker says nothing that counts', { from: ATTACKER, fields: CLAIMS }, UNTOUCHED],
  [
    'a proxy says who the client is, and what it asked for',
    {
      fields: [
        'Forwarded: for=10.0.0.1;host=evil.test, ' +
          'for="[2001:db8::9]:99";proto=https;host=www.shop.test, for=10.0.0.2',
      ],
    },
    {
      REMOTE_ADDR: '2001:db8::9',
      REMOTE_PORT: '99',
      'wsgi.url_scheme': 'https',
      HTTP_HOST: 'www.shop.test',
      SERVER_NAME: 'www.shop.test',
      SERVER_PORT: '443',
    },
  ],
  [
    'what the proxy has passed on is removed',
    { fields: [...CLAIMS.slice(0, 6), 'Forwarded: for=1.2.3.4'] },
    { ...UNTOUCHED, REMOTE_ADDR: '1.2.3.4', HTTP_FORWARDED: 'for=1.2.3.4' },
  ],
  ['an obfuscated client', { fields: ['Forwarded: for=10.0.0.1, for=_a'] }, { REMOTE_ADDR: '' }],
  [
    'an open quote of an attacker',
    { fields: ['Forwarded: for="10.0.0.1', 'Forwarded: for=1.2.3.4'] },
    { REMOTE_ADDR: '1.2.3.4' },
  ],
  ['a malformed element of the proxy', { fields: ['Forwarded: for=1.2.3.4, for=what'] }, 400],
]

const HEADERS = ['--forwarded-allow-ips', '127.0.0.1,10.0.0.0/8', '--forwarded-headers']
const HOSTS = ['--allowed-hosts', '.shop.test,inner,127.0.0.0/8']

const headerServers = [
  {
    name: 'Python, legacy',
    app: 'app:app',
    args: [...HEADERS, 'legacy', ...HOSTS],
    cases: legacyCases,
  },
  {
    name: 'TypeScript, legacy',
    app: './app.ts:app',
    args: [...HEADERS, 'legacy', ...HOSTS],
    cases: legacyCases,
  },
  {
    name: 'Python, standard',
    app: 'app:app',
    args: [...HEADERS, 'standard'],
    cases: standardCases,
  },
].filter(({ app }) => (app.startsWith('.') ? thorough || !hasPython() : hasPython()))

describe.each(headerServers)('$name', ({ app, args, cases }) => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ app, args: [...args, '--access-logfile', '-'], cwd: directory })
  })

  test.each(cases)('%s', async (_, question, expected) => {
    const { status, environ } = await ask({ ...question, port: server.port })
    if (typeof expected === 'number') expect(status).toBe(expected)
    else {
      expect(status).toBe(200)
      const seen = Object.keys(expected).map((key) => [key, environ[key]])
      expect(Object.fromEntries(seen)).toEqual(expected)
    }
  })

  test('what is refused is in the log, with the code of its reason', async () => {
    await server.waitForLog(/Refused .* with 400: .* \[MONO4024\]/)
    if (cases.some(([, , expected]) => expected === 421))
      await server.waitForLog(/Refused .* with 421: .* \[MONO4025\]/)
  })

  test('the clients of one connection do not get in the way of each other', async () => {
    const client = await RawConnection.open(server)
    const standard = args.includes('standard')
    const addresses = ['1.1.1.1', null, '2.2.2.2', '1.1.1.1', null]
    const seen: unknown[] = []
    for (const address of addresses) {
      const name = standard ? `Forwarded: for=${address}` : `X-Forwarded-For: ${address}`
      const field = address === null ? '' : `${name}\r\n`
      const { text } = await client.request(`GET / HTTP/1.1\r\nHost: shop.test\r\n${field}\r\n`)
      seen.push((JSON.parse(text) as Environ).REMOTE_ADDR)
    }
    expect(seen).toEqual(addresses.map((address) => address ?? PROXY))
    // Also in the log.
    await server.waitForLog(/^1\.1\.1\.1 - - .*"GET \/ HTTP\/1\.1" 200/m)
    await server.waitForLog(/^2\.2\.2\.2 - - .*"GET \/ HTTP\/1\.1" 200/m)
  })
})

// ---------------------------------------------------------------- the PROXY protocol

const CLIENT = {
  REMOTE_ADDR: '192.0.2.9',
  REMOTE_PORT: '5678',
  PROXY_PROTOCOL: 'TCP4',
  PROXY_ADDR: '198.51.100.1',
  PROXY_PORT: '443',
  'wsgi.url_scheme': 'http',
}
const LOCAL = { REMOTE_ADDR: PROXY, PROXY_PROTOCOL: 'LOCAL', PROXY_ADDR: undefined }
const NONE = Buffer.alloc(0)
const MALFORMED = /header of the PROXY protocol: the line is malformed/
const MISSING = /without a header of the PROXY protocol, which this peer must send/
const FORBIDDEN = /header of the PROXY protocol from a peer that is not in proxy_allow_ips/

interface ProxyCase {
  readonly name: string
  readonly question: Omit<Question, 'port'>
  /** Without TLS; with TLS, a refusal has no answer. */
  readonly expected: Environ | 400 | 'reset'
  readonly logged?: RegExp
}

const proxyCases: readonly ProxyCase[] = [
  { name: 'version 1', question: { preface: V1 }, expected: CLIENT },
  { name: 'version 1, byte by byte', question: { preface: V1, pieces: 'bytes' }, expected: CLIENT },
  { name: 'version 2', question: { preface: v2({ checksum: 'right' }) }, expected: CLIENT },
  { name: 'version 2, apart', question: { preface: v2(), pieces: 'two' }, expected: CLIENT },
  {
    name: 'version 2, byte by byte',
    question: { preface: v2(), pieces: 'bytes' },
    expected: CLIENT,
  },
  {
    name: 'IPv6',
    question: { preface: v2({ family: 0x21, addresses: IPV6 }) },
    expected: { REMOTE_ADDR: '2001:db8::9', PROXY_PROTOCOL: 'TCP6', PROXY_ADDR: '2001:db8::1' },
  },
  {
    name: 'LOCAL',
    question: { preface: v2({ command: 0x20, family: 0, addresses: NONE }) },
    expected: LOCAL,
  },
  {
    name: 'UNKNOWN',
    question: { preface: 'PROXY UNKNOWN\r\n' },
    expected: { ...LOCAL, PROXY_PROTOCOL: 'UNKNOWN' },
  },
  {
    name: 'TLS that the proxy has ended',
    question: { preface: v2({ tlvs: [sslTlv(true)] }) },
    expected: { ...CLIENT, 'wsgi.url_scheme': 'https' },
  },
  {
    name: "the proxy's own headers, as in Gunicorn",
    question: { preface: V1, fields: ['X-Forwarded-Proto: https', 'SCRIPT_NAME: /shop'] },
    expected: { ...CLIENT, 'wsgi.url_scheme': 'https', SCRIPT_NAME: '/shop', PATH_INFO: '/x' },
  },
  {
    name: 'a malformed one',
    question: { preface: 'PROXY TCP4 192.0.2.9 localhost 1 2\r\n' },
    expected: 'reset',
    logged: MALFORMED,
  },
  {
    name: 'a wrong checksum',
    question: { preface: v2({ checksum: 'wrong' }) },
    expected: 'reset',
    logged: /header of the PROXY protocol: the checksum is wrong/,
  },
  { name: 'two of them', question: { preface: V1 + V1 }, expected: 400 },
  { name: 'none', question: {}, expected: 400, logged: MISSING },
  {
    name: 'one of an attacker',
    question: { from: ATTACKER, preface: V1 },
    expected: 400,
    logged: FORBIDDEN,
  },
  {
    name: 'version 2 of an attacker, byte by byte',
    question: { from: ATTACKER, preface: v2(), pieces: 'bytes' },
    expected: 400,
    logged: FORBIDDEN,
  },
  {
    name: 'none of an attacker',
    question: { from: ATTACKER },
    expected: { REMOTE_ADDR: ATTACKER, PROXY_PROTOCOL: undefined },
  },
]

describe.skipIf(!hasPython())('the PROXY protocol', () => {
  let server: RunningServer
  let ports: { plain: number; tls: number }

  beforeAll(async () => {
    const folder = temporaryDirectory()
    const { cert, key } = makeCertificate(folder.path, { name: 'shop.test' })
    const binds = ['--bind', '127.0.0.1:0', '--bind', 'tls:0.0.0.0:0']
    const files = ['--certfile', cert, '--keyfile', key]
    const settings = ['--proxy-protocol', '--proxy-protocol-tls']
    const args = [...binds, ...files, ...settings, '--log-level', 'debug']
    server = await startServer({ app: 'app:app', args, cwd: directory })
    const portOf = (address = '') => Number(/\d+$/.exec(address)?.[0])
    ports = {
      plain: portOf(server.addresses.find((address) => address.startsWith('http:'))),
      tls: portOf(server.addresses.find((address) => address.startsWith('https:'))),
    }
  })

  for (const tls of [false, true]) {
    test.each(proxyCases)(`${tls ? 'before TLS' : 'plain'}: $name`, async (one) => {
      const { question, expected, logged } = one
      const from = server.log().length
      const port = tls ? ports.tls : ports.plain
      const { status, environ } = await ask({ ...question, port, tls })
      if (expected === 'reset' || (expected === 400 && tls)) expect(status).toBe(0)
      else if (expected === 400) expect(status).toBe(400)
      else {
        const all = tls ? { ...expected, 'wsgi.url_scheme': 'https' } : expected
        const seen = Object.keys(all).map((key) => [key, environ[key]])
        expect([status, Object.fromEntries(seen)]).toEqual([200, all])
      }
      if (logged !== undefined) await server.waitForLog(logged, { from })
    })
  }

  test('a request of a stranger may begin like a header', async () => {
    const question = { from: ATTACKER, preface: 'PROXY', pieces: 'two' } as const
    const { status, environ } = await ask({ ...question, port: ports.plain })
    expect([status, environ.REQUEST_METHOD, environ.REMOTE_ADDR]).toEqual([
      200,
      'PROXYGET',
      ATTACKER,
    ])
  })

  test('before HTTP/2', async () => {
    const raw = connect({ host: '127.0.0.1', port: ports.tls })
    raw.write(V1)
    const socket = secure(raw, { ALPNProtocols: ['h2'] })
    const session = connectH2('https://shop.test', { createConnection: () => socket })
    onTestFinished(() => session.destroy())
    const stream = session.request({ ':path': '/', ':authority': 'shop.test' })
    let body = ''
    stream.setEncoding('utf8').on('data', (piece) => (body += piece))
    const [headers] = await once(stream, 'response')
    await once(stream, 'end')
    expect(headers[constants.HTTP2_HEADER_STATUS]).toBe(200)
    const expected = { ...CLIENT, 'wsgi.url_scheme': 'https', SERVER_PROTOCOL: 'HTTP/2.0' }
    expect(JSON.parse(body)).toMatchObject(expected)
  })

  test.runIf(thorough)(
    'a header that drips is given up after header_timeout, and one that never comes',
    async () => {
      const args = ['--proxy-protocol', '--header-timeout', '1', '--log-level', 'debug']
      const impatient = await startServer({ app: 'app:app', args, cwd: directory })
      const to = { port: impatient.port }
      const dripping = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(to)))
      const silent = await RawConnection.open(to)
      for (const connection of dripping) await connection.send(V1.slice(0, 8))
      for (const connection of dripping) void connection.drip(V1.slice(8), 300)
      for (const connection of dripping) expect((await connection.readToEnd()).ending).toBe('reset')
      expect(await silent.expectEnd()).toBe('closed')
      await impatient.waitForLog(/header of the PROXY protocol took too long \(header_timeout\)/)
    },
  )
})
