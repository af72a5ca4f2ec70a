import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { constants } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import { hasPython, testPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

// HTTPS on the engine. The tables of other files run over it in the tier `tls`; here is what only
// TLS has: handshakes, their limits, and how a connection ends. What waits for a time-out runs in
// the release tier.

const thorough = process.env.MONOCEROS_TEST_TIER === 'release'

const run = promisify(execFile)

/** More handshakes than these wait. */
const HANDSHAKES = 8

describe.skipIf(!hasPython())('HTTPS', () => {
  let server: PlainServer
  const folder = temporaryDirectory()
  const unixPath = join(folder.path, 'tls.sock')
  beforeAll(async () => {
    server = await startPlain({
      secure: true,
      args: [
        ...['--bind', 'tls:127.0.0.1:0', '--bind', `tls:unix:${unixPath}`],
        ...['--bind', '127.0.0.1:0', '--log-level', 'debug'],
      ],
    })
  })
  afterAll(async () => {
    await server?.stop()
    folder.remove()
  })

  const plainPort = () => Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(server.log())![1])

  async function environ(target: Parameters<typeof exchangeOnce>[0]) {
    const response = await exchangeOnce(target, get('/echo'))
    return JSON.parse(response.text).environ as Record<string, string>
  }

  function client(options: object = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const to = { port: server.port, host: server.host, rejectUnauthorized: false }
      const socket = connectTls({ ...to, ...options })
      onTestFinished(() => void socket.destroy())
      socket.once('secureConnect', () => resolve(socket))
      socket.once('error', reject)
    })
  }

  /** A connection on which nothing was said yet. */
  function open(to: PlainServer = server): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connectPlain({ port: to.port, host: to.host, noDelay: true })
      onTestFinished(() => void socket.destroy())
      socket.once('connect', () => resolve(socket))
      socket.once('error', reject)
    })
  }

  /** Resolves with what came when the other side has closed the connection. */
  function ended(socket: Socket): Promise<string> {
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    return new Promise((resolve) => {
      socket.on('error', () => resolve(received))
      socket.on('close', () => resolve(received))
    })
  }

  /** How a strict client sees the end of the answer: bytes, and `closed` or `cut`. */
  async function endOf(request: string, to: PlainServer = server): Promise<string> {
    const script = join(import.meta.dirname, '..', 'support', 'tls-client.py')
    const args = [script, to.host, String(to.port), request]
    const { stdout } = await run(testPython().executable, args)
    return stdout.trim()
  }

  /** Sends a request by `openssl s_client`. */
  function openssl(request: string): Promise<{ stderr: string }> {
    const to = `${server.host}:${server.port}`
    return new Promise((resolve) => {
      const child = execFile('openssl', ['s_client', '-quiet', '-connect', to], (_, __, stderr) =>
        resolve({ stderr }),
      )
      child.stdin?.on('error', () => {})
      child.stdin?.write(request)
    })
  }

  test('the application is told of it, at every address with TLS and at no other', async () => {
    const secure = { 'wsgi.url_scheme': 'https', HTTPS: 'on' }
    const seen = await environ(server)
    expect(seen).toMatchObject({ ...secure, SERVER_PORT: String(server.port) })
    const overUnix = { socketPath: unixPath, port: 0, host: 'localhost', secure: true }
    expect(await environ(overUnix)).toMatchObject({ ...secure, REMOTE_ADDR: '' })
    const plain = await environ({ port: plainPort() })
    expect(plain['wsgi.url_scheme']).toBe('http')
    expect(plain.HTTPS).toBeUndefined()
  })

  test('requests follow each other, ahead of their answers too', async () => {
    const connection = await RawConnection.open(server)
    const body = Buffer.alloc(100_000, 'x')
    await connection.send(Buffer.concat([Buffer.from(get('/')), post('/length', body)]))
    await connection.send(get('/'))
    expect((await connection.readResponse()).text).toBe('hello\n')
    expect((await connection.readResponse()).text).toBe('100000')
    expect((await connection.readResponse()).text).toBe('hello\n')
  })

  test('plain HTTP is answered 400 in plain text, and named in the log', async () => {
    const from = server.log().length
    const response = await exchangeOnce({ port: server.port }, get('/'))
    expect(response).toMatchObject({ status: 400, complete: true })
    expect(response.text).toBe('This port speaks HTTPS, not plain HTTP.\n')
    expect(await response.closed()).toBe('closed')
    await server.waitForLog(/handshake with 127\.0\.0\.1 failed: it spoke plain HTTP/, { from })
  })

  test.each([
    ['garbage', Buffer.from([0, 1, 2, 3]), 'what it sent is not TLS'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x50, 0]), 'what it sent is not TLS'],
    ['a handshake without a ClientHello', hello(Buffer.alloc(40)), 'unexpected message'],
    ['half a ClientHello, then the end', hello(Buffer.alloc(400)).subarray(0, 90), 'client left'],
  ])('%s ends the connection, and is named in the log', async (_, bytes, reason) => {
    const from = server.log().length
    const socket = await open()
    socket.write(bytes)
    if (reason === 'client left') socket.end()
    await ended(socket)
    await server.waitForLog(new RegExp(`handshake with 127\\.0\\.0\\.1 failed: .*${reason}`), {
      from,
    })
  })

  test('a client that wants another protocol is refused in the handshake (RFC 7301)', async () => {
    await expect(client({ ALPNProtocols: ['spdy/3'] })).rejects.toThrow('no application protocol')
    const socket = await client({ ALPNProtocols: ['spdy/3', 'http/1.1'] })
    expect(socket.alpnProtocol).toBe('http/1.1')
    expect((await client()).alpnProtocol).toBe(false)
  })

  test('a ClientHello may come in single bytes, and requests in records of one byte', async () => {
    const below = await open()
    const drip = new Duplex({
      read: () => {},
      write(chunk: Buffer, _encoding, done) {
        const bytes = [...chunk]
        const next = () => {
          const byte = bytes.shift()
          if (byte === undefined) done()
          else below.write(Buffer.from([byte]), next)
        }
        next()
      },
    })
    below.on('data', (chunk) => drip.push(chunk))
    const socket = await client({ socket: drip })
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    for (const character of get('/')) socket.write(character)
    await waitFor('the answer', () => answer.endsWith('hello\n'))
  })

  test('an answer that ends with the connection ends with close_notify; a cut one has none', async () => {
    const request = (path: string) => `GET ${path} HTTP/1.0\\r\\n\\r\\n`
    expect(await endOf(request('/chunked'))).toMatch(/^\d+ closed$/)
    server.go('cut')
    expect(await endOf(request('/raise-after?key=cut'))).toMatch(/ cut$/)
    const { stderr } = await openssl('GET /raise-after?key=cut HTTP/1.0\r\n\r\n')
    expect(stderr).toContain(`errno=${constants.errno.ECONNRESET}`)
  })

  test.runIf(thorough)('an idle connection that is closed gets its close_notify', async () => {
    const impatient = await startPlain({ secure: true, args: ['--keep-alive', '1'] })
    expect(await endOf('GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n', impatient)).toMatch(/ closed$/)
  })

  test('a client that resets its connection at the end of its handshake is not taken for another', async () => {
    const from = server.log().length
    for (let i = 0; i < 20; i++) {
      const connection = await RawConnection.open(server)
      await connection.send('GET / HTTP/1.1\r\nHost')
      connection.reset()
    }
    await waitFor('the connections to be gone', () => connectionsAt(server.port) === 0)
    expect(server.log().slice(from)).not.toContain('unix socket')
  })

  test.runIf(thorough)(
    'handshakes that stall are closed for others, at the limit, and named in the log',
    async () => {
      const args = ['--max-handshakes', String(HANDSHAKES), '--log-level', 'debug']
      const few = await startPlain({ secure: true, args })
      const stalled = await Promise.all(Array.from({ length: HANDSHAKES * 2 }, () => open(few)))
      const first = await clientHello()
      for (const socket of stalled) socket.write(first)
      await Promise.all(stalled.slice(0, HANDSHAKES).map((socket) => once(socket, 'readable')))
      // Before their time-out.
      const response = await exchangeOnce(few, get('/'))
      expect(response.text).toBe('hello\n')
      await few.waitForLog(/8 TLS handshakes are under way \(max_handshakes\).* \[MONO4038\]/)
      await few.waitForLog(/failed: it was given up for others/)
      for (const socket of stalled) socket.destroy()
    },
  )

  test.runIf(thorough)('a handshake has a time-out, whether it has begun or not', async () => {
    const args = ['--handshake-timeout', '2', '--log-level', 'debug']
    const impatient = await startPlain({ secure: true, args })
    const silent = await open(impatient)
    const half = await open(impatient)
    half.write(hello(Buffer.alloc(400)).subarray(0, 90))
    expect(await Promise.all([ended(silent), ended(half)])).toEqual(['', ''])
    await impatient.waitForLog(/did not finish within 2 s \(handshake_timeout\)/)
  })
})

/** How many connections a server has at its port, as the kernel knows them. */
function connectionsAt(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const established = '01'
  return readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address, , state]) => address?.endsWith(local) && state === established).length
}

/** The first message of a client. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const below = new Duplex({ read: () => {}, write: (chunk: Buffer) => resolve(chunk) })
    connectTls({ socket: below, rejectUnauthorized: false }).on('error', () => {})
  })
}

/** A record of a handshake. */
function hello(content: Buffer): Buffer {
  const { length } = content
  return Buffer.concat([Buffer.from([22, 3, 1, length >> 8, length & 255]), content])
}
