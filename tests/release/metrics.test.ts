import { writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { http2Get } from '../support/http2-client.ts'
import { ask, metricsAddress, type Scraped, scrape } from '../support/metrics.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Metrics that need settings of their own, each moved and compared with what the client counted;
// and many clients that want the metrics server to hold something. The rest is in
// tests/e2e/metrics.test.ts.

const APPLICATION = `
import time
kept = []
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hang":
        time.sleep(60)
    if path == "/wait":
        time.sleep(0.5)
    if path == "/grow":
        kept.append(b"x" * 150_000_000)
    fields = [("Content-Length", "5")]
    if path == "/kept":
        fields.append(("Cache-Control", "max-age=60"))
    start_response("200 OK", fields)
    return [b"hello"]
`

let folder: { path: string; remove: () => void }

beforeAll(() => {
  folder = temporaryDirectory()
  writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
})

afterAll(() => folder.remove())

interface Measured {
  readonly server: RunningServer
  readonly address: string
  status(path: string, init?: RequestInit): Promise<number>
  until(what: string, isSo: (now: Scraped) => boolean): Promise<Scraped>
}

async function measured(args: readonly string[], secure = false): Promise<Measured> {
  const all = ['--metrics-bind', '127.0.0.1:0', ...args]
  const server = await startServer({ app: 'shop:app', args: all, cwd: folder.path, secure })
  const address = await metricsAddress(server)
  return {
    server,
    address,
    async status(path, init) {
      const response = await fetch(server.url + path, init)
      await response.arrayBuffer()
      return response.status
    },
    until: (what, isSo) =>
      waitFor(what, async () => {
        const now = await scrape(address)
        return isSo(now) ? now : undefined
      }),
  }
}

describe.runIf(hasPython())('what moves', () => {
  test('the cache, and requests of a method that nobody knows', async () => {
    const { address, status } = await measured(['--cache', '10M'])
    for (let i = 0; i < 5; i++) expect(await status('/kept')).toBe(200)
    for (let i = 0; i < 3; i++) expect(await status('/')).toBe(200)
    for (const method of ['BREW', 'WHEN', 'PROPFIND']) await status('/', { method })
    const now = await scrape(address)
    const cache = (result: string) => now.sum('monoceros_cache_requests_total', { result })
    expect(cache('hit')).toBe(4)
    expect(cache('uri-miss')).toBe(4)
    expect(cache('method')).toBe(3)
    expect(now.sum('monoceros_cache_requests_total')).toBe(11)
    expect(now.sum('monoceros_requests_total', { method: 'other' })).toBe(3)
    expect(now.sum('monoceros_requests_total', { method: 'GET', status: '2xx' })).toBe(8)
  })

  test('rate limits, as often as clients were told 429', async () => {
    const { address, status } = await measured(['--rate-limit', '7/h'])
    const statuses = await Promise.all(Array.from({ length: 20 }, () => status('/')))
    expect(statuses.filter((one) => one === 429)).toHaveLength(13)
    const now = await scrape(address)
    expect(now.sum('monoceros_rate_limited_total')).toBe(13)
    expect(now.sum('monoceros_requests_refused_total', { reason: 'rate-limit' })).toBe(13)
    expect(now.sum('monoceros_requests_total', { status: '4xx' })).toBe(13)
  })

  test('connections of one address that are too many', async () => {
    const { server, until } = await measured([
      ...['--limit-connections-per-address', '4', '--forwarded-allow-ips', '10.9.9.9'],
    ])
    const sockets = await crowd(server.port, 10)
    const now = await until(
      'ten connections',
      (scraped) => scraped.sum('monoceros_connections_turned_away_total') >= 6,
    )
    expect(now.sum('monoceros_connections_turned_away_total', { reason: 'address' })).toBe(6)
    expect(now.sum('monoceros_connections', { protocol: 'http1' })).toBe(4)
    for (const socket of sockets) socket.destroy()
  })

  test('TLS handshakes that succeed and fail, and the streams of HTTP/2', async () => {
    const { server, until, address } = await measured([], true)
    const { port } = server
    const before = await scrape(address)
    for (let i = 0; i < 3; i++) {
      const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
      const answers = await Promise.all([1, 2, 3, 4].map(() => http2Get(session, '/')))
      expect(answers.map(({ headers }) => headers[':status'])).toEqual([200, 200, 200, 200])
      session.close()
    }
    for (let i = 0; i < 2; i++) {
      // It takes no certificate of an unknown issuer.
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: true })
      await new Promise((resolve) => socket.on('error', resolve))
    }
    const plain = connect(port, '127.0.0.1')
    plain.on('error', () => {})
    plain.end('GET / HTTP/1.1\r\nHost: a\r\n\r\n').resume()
    await new Promise((resolve) => plain.on('close', resolve))
    const handshakes = 'monoceros_tls_handshakes_total'
    const by = (now: Scraped, result: string) =>
      now.sum(handshakes, { result }) - before.sum(handshakes, { result })
    const now = await until('all handshakes', (scraped) => by(scraped, 'plain') === 1)
    expect(now.sum(handshakes) - before.sum(handshakes)).toBe(6)
    expect(by(now, 'done')).toBeGreaterThanOrEqual(3)
    expect(now.sum('monoceros_http2_streams_total')).toBe(12)
    expect(now.sum('monoceros_http2_streams')).toBe(0)
    expect(now.sum('monoceros_requests_total') - before.sum('monoceros_requests_total')).toBe(12)
  })

  test('a request that runs out of time, and the ends of workers by their causes', async () => {
    const { server, status, until } = await measured(['--timeout', '8', '--max-requests', '3'])
    expect(await status('/hang')).toBe(504)
    const ends = 'monoceros_worker_ends_total'
    const late = await until('the end', (now) => now.sum(ends, { cause: 'timed-out' }) === 1)
    expect(late.sum('monoceros_request_losses_total', { cause: 'timeout' })).toBe(1)
    for (let i = 0; i < 3; i++) expect(await status('/')).toBe(200)
    await until('a replaced worker', (now) => now.sum(ends, { cause: 'max-requests' }) === 1)
    server.signal('SIGHUP')
    const now = await until('a reload', (scraped) => scraped.sum(ends, { cause: 'stopped' }) === 1)
    expect(now.sum(ends)).toBe(3)
    expect(now.sum('monoceros_request_duration_seconds_count')).toBe(4)
  })

  test('workers that are too large, or have served long enough', async () => {
    const ends = 'monoceros_worker_ends_total'
    const large = await measured(['--max-worker-memory', '100M'])
    const old = await measured(['--max-worker-lifetime', '1'])
    expect(await large.status('/grow')).toBe(200)
    await old.until('one of age', (now) => now.sum(ends, { cause: 'max-lifetime' }) >= 1)
    await large.until('a large one', (now) => now.sum(ends, { cause: 'max-memory' }) >= 1)
  })

  test('threads work at the same time: nothing waits that does not', async () => {
    const { status, address } = await measured(['--threads', '4'])
    const waits = [0, 1, 2, 3].map(async (turn) => {
      await new Promise((resolve) => setTimeout(resolve, turn * 50))
      return await status('/wait')
    })
    expect(await Promise.all(waits)).toEqual([200, 200, 200, 200])
    const now = await scrape(address)
    expect(now.sum('monoceros_request_application_seconds_sum')).toBeGreaterThan(4 * 0.5 - 0.01)
    expect(now.sum('monoceros_request_application_seconds_count')).toBe(4)
  })

  test('a reload that changes metrics_bind', async () => {
    const config = join(folder.path, 'moving.mjs')
    const file = join(folder.path, 'moving.sock')
    const binds = (...all: string[]) =>
      writeFileSync(config, `export default { metricsBind: ${JSON.stringify(all)} }\n`)
    binds(`unix:${file}`)
    const server = await startServer({
      app: 'shop:app',
      args: ['--config', config],
      cwd: folder.path,
      secure: false,
    })
    expect(await metricsAddress(server)).toBe(`unix:${file}`)
    binds(`unix:${file}2`)
    server.signal('SIGHUP')
    const moved = `unix:${file}2`
    await waitFor('the other address', () => ask(moved, '/readyz').catch(() => undefined))
    await expect(ask(`unix:${file}`, '/readyz')).rejects.toThrow()
  })
})

describe.runIf(hasPython())('clients of the metrics server', () => {
  test('300 that send a little each neither grow it nor keep others out for long', async () => {
    const { address } = await measured([])
    const port = Number(new URL(address).port)
    const memory = (now: Scraped) =>
      now.sum('monoceros_process_resident_memory_bytes', { process: 'arbiter' })
    const before = memory(await scrape(address))
    const sockets = await crowd(port, 300, (i) => {
      if (i % 3 === 0) return 'GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: '
      if (i % 3 === 1) return `GET /metrics HTTP/1.1\r\nX-Long: ${'x'.repeat(64 * 1024)}`
      return 'POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nxxxx'
    })
    // More than 128 are closed at once, and what is slow after its deadline.
    const now = await waitFor('an answer', () => scrape(address).catch(() => undefined))
    expect(memory(now) - before).toBeLessThan(40_000_000)
    await waitFor('all to be closed', () => {
      const open = sockets.filter((socket) => !socket.destroyed).length
      return open === 0 ? true : undefined
    })
  })

  test('those that never read do not make it collect for them', async () => {
    const { address } = await measured([])
    const port = Number(new URL(address).port)
    const deaf = await crowd(port, 100, () => 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(50))
    for (const socket of deaf) socket.pause()
    expect((await ask(address, '/livez')).status).toBe(200)
    const now = await scrape(address)
    const process = { process: 'arbiter' }
    expect(now.sum('monoceros_process_resident_memory_bytes', process)).toBeLessThan(300_000_000)
    for (const socket of deaf) socket.destroy()
  })
})

/** Opens connections that send something, and ignore how they end. */
async function crowd(port: number, count: number, text = (_: number) => ''): Promise<Socket[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {}).resume()
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
      socket.write(text(i))
      return socket
    }),
  )
}
