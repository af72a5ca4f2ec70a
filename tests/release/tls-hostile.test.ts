import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { resourcesOf } from '../support/resources.ts'
import { deafClient, keyUpdateClient, renegotiatingClient } from '../support/tls-records.ts'
import { waitFor } from '../support/wait-for.ts'

// Two thousand clients that are hostile in their handshakes: memory is bounded, an innocent client
// is answered in the meantime, who has a connection notices nothing, and the log names it.

const CLIENTS = 2000
/** How many handshakes may have begun. */
const HANDSHAKES = 256
const MIB = 1024 * 1024

/** What a hostile client sends after it has connected, and what the log says of it. */
interface Attack {
  readonly name: string
  send(socket: Socket, hello: Buffer): void
  readonly logs: RegExp
  /** The most that a client may cost, in bytes. */
  readonly each: number
}

const ATTACKS: readonly Attack[] = [
  {
    name: 'half a ClientHello',
    send: (socket, hello) => void socket.write(hello.subarray(0, hello.length >> 1)),
    logs: /did not finish within 5 s \(handshake_timeout\)/,
    each: 12 * 1024,
  },
  {
    name: 'a ClientHello, and nothing after it',
    send: (socket, hello) => void socket.write(hello),
    logs: /256 TLS handshakes are under way \(max_handshakes\).* \[MONO4038\]/,
    each: 40 * 1024,
  },
  {
    name: 'a ClientHello in single bytes',
    send(socket, hello) {
      let at = 0
      const timer = setInterval(() => socket.write(hello.subarray(at, ++at)), 1000)
      socket.on('close', () => clearInterval(timer))
    },
    logs: /did not finish within 5 s \(handshake_timeout\)/,
    each: 12 * 1024,
  },
  {
    name: 'all of a large record but its last byte',
    send: (socket) =>
      void socket.write(Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(16383)])),
    logs: /did not finish within 5 s \(handshake_timeout\)/,
    each: 40 * 1024,
  },
  {
    name: 'the beginning of a ClientHello of 128 KiB',
    send: (socket) =>
      void socket.write(
        Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0xff, 0]), Buffer.alloc(16380)]),
      ),
    logs: /its ClientHello is longer than 16 KiB/,
    each: 6 * 1024,
  },
  {
    name: 'garbage',
    send: (socket) => void socket.write(Buffer.alloc(1000, 0xff)),
    logs: /what it sent is not TLS/,
    each: 6 * 1024,
  },
]

describe.skipIf(!hasPython())('hostile clients in their handshakes', () => {
  test.each(ATTACKS.map((attack) => [attack.name, attack] as const))('%s', async (_, attack) => {
    const server = await startPlain({
      secure: true,
      args: [
        ...['--max-handshakes', String(HANDSHAKES), '--handshake-timeout', '5'],
        ...['--keep-alive', '60'],
      ],
      openFiles: 8192,
    })
    const acceptor = Number(/Acceptor (\d+) /.exec(server.log())![1])
    const kept = await RawConnection.open(server)
    expect((await kept.request(get('/'))).text).toBe('hello\n')
    const hello = await clientHello()
    const before = residentMemory(acceptor)
    let most = 0
    const sampler = setInterval(() => {
      most = Math.max(most, residentMemory(acceptor))
    }, 100)
    onTestFinished(() => clearInterval(sampler))
    const attackers = await Promise.all(Array.from({ length: CLIENTS }, () => open(server)))
    for (const socket of attackers) attack.send(socket, hello)

    const slowest = await slowestAnswer(kept)
    let newcomer = 0
    for (let i = 0; i < 5; i++) {
      const from = performance.now()
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
      newcomer = Math.max(newcomer, performance.now() - from)
    }
    await server.waitForLog(attack.logs)
    clearInterval(sampler)
    const grown = Math.max(0, most - before)
    console.log(
      `${CLIENTS} clients, ${attack.name}: acceptor +${(grown / MIB).toFixed(1)} MiB, an answer ` +
        `on an open connection at most ${slowest.toFixed(0)} ms, on a new one at most ` +
        `${newcomer.toFixed(0)} ms`,
    )
    // At the end of a queue of this length, it would be 40 seconds.
    expect(newcomer).toBeLessThan(10_000)
    // Some of it is not of the clients.
    expect(grown).toBeLessThan(CLIENTS * attack.each + 40 * MIB)
    const lines = server.log().split('\n').length
    expect(lines).toBeLessThan(150)
    for (const socket of attackers) socket.destroy()
    await waitFor('an answer', async () => (await exchangeOnce(server, get('/'))).status === 200)
  })

  test('records of one byte after the handshake cost no more than other requests', async () => {
    const server = await startPlain({ secure: true })
    const acceptor = Number(/Acceptor (\d+) /.exec(server.log())![1])
    const connection = await RawConnection.open(server)
    await connection.request(get('/'))
    const before = residentMemory(acceptor)
    await connection.send('POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n')
    for (let sent = 0; sent < 20_000; sent++) connection.socket.write('x')
    expect((await connection.readResponse()).text).toBe('20000')
    expect(residentMemory(acceptor) - before).toBeLessThan(40 * MIB)
  })
})

const FLOODS = [
  ['changes of keys (TLS 1.3)', keyUpdateClient],
  ['changes of keys over HTTP/2', (port: number) => keyUpdateClient(port, 'h2')],
  ['attempts to renegotiate (TLS 1.2)', renegotiatingClient],
] as const

describe.skipIf(!hasPython())('hostile clients after their handshakes', () => {
  test.each(FLOODS)('a flood of %s closes the connection', async (_, open) => {
    const server = await startPlain({ secure: true, args: ['--keep-alive', '600'] })
    const acceptor = Number(/Acceptor (\d+) /.exec(server.log())![1])
    const kept = await RawConnection.open(server)
    await kept.request(get('/'))
    const client = await open(server.port)
    const closed = new Promise((resolve) => client.socket.once('close', resolve))
    const before = residentMemory(acceptor)
    const records = Buffer.concat(Array.from({ length: 20_000 }, () => client.attack()))
    client.socket.write(records)
    await server.waitForLog(/127\.0\.0\.1 closed: a flood of TLS records without data/)
    expect(await slowestAnswer(kept)).toBeLessThan(10_000)
    expect(residentMemory(acceptor) - before).toBeLessThan(40 * MIB)
    client.socket.resume()
    await closed
  })

  test('some of both are borne, and the next request is answered', async () => {
    const server = await startPlain({ secure: true })
    for (const open of [keyUpdateClient, renegotiatingClient]) {
      const client = await open(server.port)
      const some = Array.from({ length: 50 }, () => client.attack())
      const request = client.data('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      const ended = new Promise((resolve) => client.socket.once('close', resolve))
      let received = 0
      client.socket.on('data', (chunk) => {
        received += chunk.length
      })
      client.socket.write(Buffer.concat([...some, request]))
      client.socket.resume()
      await ended
      // The 50 answers of OpenSSL, and the one of the application.
      expect(received).toBeGreaterThan(50 * 27 + 'HTTP/1.1 200 OK'.length)
    }
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'clients of %s that do not read the end of their handshake are closed in time',
    async (version) => {
      const server = await startPlain({ secure: true, args: ['--header-timeout', '2'] })
      const acceptor = Number(/Acceptor (\d+) /.exec(server.log())![1])
      const sockets = () => resourcesOf(acceptor).descriptors.socket ?? 0
      const [before, memory] = [sockets(), residentMemory(acceptor)]
      const clients = []
      while (clients.length < 200) clients.push(await deafClient(server.port, version))
      expect(sockets()).toBeGreaterThan(before)
      expect(residentMemory(acceptor) - memory).toBeLessThan(200 * 100 * 1024 + 40 * MIB)
      await waitFor('the connections to be closed', () => sockets() <= before, 30_000)
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    },
  )
})

/** The slowest of some answers on a connection that is open already, in milliseconds. */
async function slowestAnswer(connection: RawConnection): Promise<number> {
  let slowest = 0
  for (let i = 0; i < 50; i++) {
    const from = performance.now()
    expect((await connection.request(get('/'))).text).toBe('hello\n')
    slowest = Math.max(slowest, performance.now() - from)
  }
  return slowest
}

function open(server: PlainServer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: server.port, host: server.host, noDelay: true })
    onTestFinished(() => void socket.destroy())
    socket.once('connect', () => {
      socket.on('error', () => {})
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** The first message of a client. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const below = new Duplex({ read: () => {}, write: (chunk: Buffer) => resolve(chunk) })
    connectTls({ socket: below, rejectUnauthorized: false }).on('error', () => {})
  })
}
