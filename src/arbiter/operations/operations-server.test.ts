import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../../tests/support/wait-for.ts'
import {
  MOST_CONNECTIONS,
  MOST_UNREAD,
  type OperationsRoute,
  OperationsServer,
  plain,
} from './operations-server.ts'

const LARGE = 4 * 1024 * 1024
const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A server with a small and a large answer, and how often the large one was made. */
async function serve() {
  const made = { large: 0 }
  const failures: string[] = []
  const route = (path: string, body: () => string): OperationsRoute => ({
    path,
    method: 'GET',
    ownHost: false,
    answer: async () => plain(200, body()),
  })
  const routes = [
    route('/small', () => 'small'),
    route('/large', () => {
      made.large++
      return 'x'.repeat(LARGE)
    }),
    route('/bug', () => {
      throw new TypeError('oops')
    }),
  ]
  routes.push({
    path: '/body',
    method: 'POST',
    ownHost: false,
    answer: async (_request, body) => plain(200, `${body.length} bytes`),
  })
  const server = new OperationsServer({ routes, failed: (text) => failures.push(text) })
  ends.push(() => server.close())
  const port = await freePort()
  await server.listen({ kind: 'tcp', host: '127.0.0.1', port }, 0o600)
  return { port, made, failures }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

interface Client {
  readonly socket: Socket
  /** What has come so far. */
  text(): string
}

function client(port: number, sends: string, reads = true): Promise<Client> {
  const socket = connect(port, '127.0.0.1')
  ends.push(() => socket.destroy())
  let text = ''
  socket.on('error', () => {})
  if (reads)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
  return new Promise((resolve) => {
    socket.once('close', () => resolve({ socket, text: () => text }))
    socket.once('connect', () => {
      socket.write(sends)
      resolve({ socket, text: () => text })
    })
  })
}

describe('clients of metrics_bind', () => {
  test('that send a thousand requests ahead get no thousand answers at the same time', async () => {
    const { port, made } = await serve()
    const { socket } = await client(port, GET('/large').repeat(1000))
    await waitFor('the end', () => socket.closed)
    expect(made.large).toBe(1)
  })

  test('that send thousands of requests ahead do not have them all parsed', async () => {
    const { port } = await serve()
    let parsed = 0
    const count = () => void parsed++
    subscribe('http.server.request.start', count)
    ends.push(() => unsubscribe('http.server.request.start', count))
    const clients = await Promise.all(
      Array.from({ length: 64 }, () => client(port, GET('/small').repeat(2000))),
    )
    await waitFor('their ends', () => clients.every(({ socket }) => socket.closed))
    // Each one, and the next one that ends the connection.
    expect(parsed).toBeGreaterThanOrEqual(64)
    expect(parsed).toBeLessThanOrEqual(128)
  })

  test.each([
    ['in one piece', 1e6],
    ['byte by byte', 1],
  ])('may send a body that looks like heads, %s', async (_, size) => {
    const { port } = await serve()
    const body = `${GET('/small')}\r\n\r\n${'x'.repeat(3000)}`
    const { socket, text } = await client(port, '')
    socket.setNoDelay(true)
    const head = `POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`
    const sends = head + body
    for (let at = 0; at < sends.length; at += size) socket.write(sends.slice(at, at + size))
    await waitFor('the answer', () => text().includes(`${body.length} bytes`))
    socket.write(GET('/small'))
    await waitFor('the next answer', () => text().endsWith('small\n'))
  })

  test('may send one request after the other', async () => {
    const { port } = await serve()
    const { socket, text } = await client(port, GET('/small'))
    for (let i = 1; i <= 3; i++) {
      await waitFor('an answer', () => text().split('small\n').length === i + 1)
      socket.write(GET('/small'))
    }
  })

  test('that do not read take so much memory, and no more', async () => {
    const { port, made } = await serve()
    const count = 1 + MOST_UNREAD / LARGE
    for (let i = 0; i < count; i++) await client(port, GET('/large'), false)
    await waitFor('all answers', () => made.large === count)
    const other = await client(port, GET('/large'))
    await waitFor('an answer', () => other.text().startsWith('HTTP/1.1 503'))
    expect(other.text()).toContain('Retry-After: 60')
    // What needs little is answered all the same.
    const small = await client(port, GET('/small'))
    await waitFor('an answer', () => small.text().startsWith('HTTP/1.1 '))
  })

  test('that read nothing, or send no HTTP and stay, do not keep others out', async () => {
    const { port } = await serve()
    for (let i = 0; i < MOST_CONNECTIONS; i++) {
      if (i < 6) await client(port, GET('/large'), false)
      else await client(port, 'no HTTP\r\n\r\n', false)
    }
    const answered = async () => {
      const other = await client(port, GET('/small'))
      await waitFor('its end or answer', () => other.socket.closed || other.text() !== '')
      return other.text().startsWith('HTTP/1.1 200')
    }
    await waitFor('an answer', answered)
  })

  test('that keep connections open make space for others', async () => {
    const { port } = await serve()
    const kept: Client[] = []
    for (let i = 0; i < MOST_CONNECTIONS; i++) {
      const one = await client(port, GET('/small'))
      await waitFor('its answer', () => one.text() !== '')
      kept.push(one)
    }
    await waitFor('an answer for another one', async () => {
      const other = await client(port, GET('/small'))
      await waitFor('its end or answer', () => other.socket.closed || other.text() !== '')
      return other.text().startsWith('HTTP/1.1 200')
    })
  })
})

test('an error of our own is 500, and is in the log with its stack', async () => {
  const { port, failures } = await serve()
  const { text } = await client(port, GET('/bug'))
  await waitFor('the answer', () => text().includes('its error log says why'))
  expect(text()).toMatch(/^HTTP\/1\.1 500 /)
  expect(failures.join()).toMatch(/^Cannot answer GET \/bug: TypeError: oops \[MONO8202\]\n {4}at /)
})
