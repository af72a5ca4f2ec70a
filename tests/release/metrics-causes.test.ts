import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { floods } from '../support/http2-attacks.ts'
import { RawHttp2 } from '../support/http2-frames.ts'
import { metricsAddress, type Scraped, scrape } from '../support/metrics.ts'
import { get, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { keyUpdateClient } from '../support/tls-records.ts'
import { waitFor } from '../support/wait-for.ts'

// Metrics that move only when something goes wrong, each moved by its cause and compared with what
// the client has counted. The rest is in tests/e2e/metrics.test.ts and metrics.test.ts.

const METRICS = ['--metrics-bind', '127.0.0.1:0']

async function scraped(address: string, what: string, isSo: (now: Scraped) => boolean) {
  return await waitFor(what, async () => {
    const now = await scrape(address)
    return isSo(now) ? now : undefined
  })
}

/** A connection that sends these bytes, and ignores what comes. */
async function sending(server: RunningServer, bytes: Buffer | string): Promise<Socket> {
  const socket = connect(server.port, server.host)
  socket.on('error', () => {}).resume()
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

const closed = (socket: Socket) => waitFor('the connection to end', () => socket.closed)

describe.runIf(hasPython())('TLS', () => {
  /** The beginning of a record of a handshake, of which the rest never comes. */
  const half = Buffer.from([22, 3, 1, 2, 0, 1])

  test('handshakes by how they ended, and floods of both protocols', async () => {
    const server = await startPlain({
      secure: true,
      args: [...METRICS, '--handshake-timeout', '8', '--log-level', 'debug'],
    })
    const address = await metricsAddress(server)
    const handshakes = 'monoceros_tls_handshakes_total'
    const before = await scrape(address)
    const results = (now: Scraped) =>
      Object.fromEntries(
        ['done', 'failed', 'plain', 'left', 'overdue'].map((result) => [
          result,
          now.sum(handshakes, { result }) - before.sum(handshakes, { result }),
        ]),
      )

    for (let i = 0; i < 4; i++) expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    for (let i = 0; i < 2; i++) await closed(await sending(server, Buffer.alloc(1000, 0xff)))
    // No protocol that is offered (RFC 7301 §3.2).
    const { port } = server
    const other = connectTls({ port, ALPNProtocols: ['spdy/3'], rejectUnauthorized: false })
    await once(other, 'error')
    for (let i = 0; i < 3; i++) await closed(await sending(server, get('/')))
    for (let i = 0; i < 5; i++) {
      const socket = await sending(server, half)
      await new Promise<void>((resolve) => socket.end(resolve))
    }
    const silent = await Promise.all([sending(server, half), sending(server, half)])
    for (const socket of silent) await closed(socket)
    const now = await scraped(address, 'all handshakes', (it) => results(it).overdue === 2)
    expect(results(now)).toEqual({ done: 4, failed: 3, plain: 3, left: 5, overdue: 2 })

    const client = await keyUpdateClient(server.port)
    client.socket.resume().on('error', () => {})
    client.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => client.attack())))
    await scraped(address, 'a flood', (it) => it.sum('monoceros_tls_floods_total') === 1)

    for (let i = 0; i < 2; i++) {
      const session = await RawHttp2.open(server, { tls: true })
      await floods[0]!.run(session)
      await session.end()
    }
    const flooded = { reason: 'http2-flood' }
    const after = await scraped(
      address,
      'two floods',
      (it) => it.sum('monoceros_requests_refused_total', flooded) === 2,
    )
    expect(after.sum('monoceros_tls_floods_total')).toBe(1)
    expect(after.sum('monoceros_http2_streams')).toBe(0)
  })
})

describe.runIf(hasPython())('connections', () => {
  test('that are too many are counted as often as clients are told 503', async () => {
    const args = ['--max-connections', '3', '--threads', '3']
    const server = await startPlain({ args: [...METRICS, ...args], secure: false })
    const address = await metricsAddress(server)
    const busy = ['a', 'b', 'c'].map(async (key) => {
      const connection = await RawConnection.open(server)
      await connection.send(get(`/wait?key=${key}`))
      await server.begun(key)
      return connection
    })
    await Promise.all(busy)
    const before = await scrape(address)
    for (let i = 0; i < 9; i++) expect((await exchangeOnce(server, get('/'))).status).toBe(503)
    const now = await scrape(address)
    const turnedAway = 'monoceros_connections_turned_away_total'
    expect(now.sum(turnedAway, { reason: 'connections' })).toBe(9)
    expect(now.sum(turnedAway)).toBe(9)
    const accepted = 'monoceros_connections_accepted_total'
    expect(now.sum(accepted) - before.sum(accepted)).toBe(9)
    expect(now.sum('monoceros_connections', { state: 'active' })).toBe(3)
    for (const key of ['a', 'b', 'c']) server.go(key)
  })

  test('for which no descriptor is left are counted as often as clients are told 503', async () => {
    // The application takes so many that they run out before there are max_connections.
    const folder = temporaryDirectory()
    onTestFinished(folder.remove)
    writeFileSync(
      join(folder.path, 'files.mjs'),
      `import { openSync } from 'node:fs'
export default function app(environ, startResponse) {
  if (environ.PATH_INFO === '/take') for (let i = 0; i < 60; i++) openSync('/dev/null')
  startResponse('200 OK', [['Content-Length', '2']])
  return [Buffer.from('ok')]
}
`,
    )
    const server = await startServer({
      app: './files.mjs',
      args: METRICS,
      cwd: folder.path,
      openFiles: 128,
      secure: false,
    })
    const address = await metricsAddress(server)
    expect((await exchangeOnce(server, get('/take'))).text).toBe('ok')
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx'
    const turnedAway = 'monoceros_connections_turned_away_total'
    let now = await scrape(address)
    while (now.sum(turnedAway) === 0) {
      await sending(server, head)
      now = await scrape(address)
    }
    // Of the others, one may have had to wait until it was accepted: then this one has come later.
    expect((await exchangeOnce(server, get('/'))).status).toBe(503)
    const before = (await scrape(address)).sum(turnedAway)
    for (let i = 0; i < 7; i++) expect((await exchangeOnce(server, get('/'))).status).toBe(503)
    now = await scrape(address)
    expect(now.sum(turnedAway, { reason: 'descriptors' })).toBe(before + 7)
    expect(now.sum(turnedAway)).toBe(before + 7)
  })
})

describe.runIf(hasPython())('workers', () => {
  test('what they are recalled and give back, and what a worker has ahead', async () => {
    const args = ['--workers', '2', '--log-level', 'debug']
    const server = await startPlain({ args: [...METRICS, ...args], secure: false })
    const address = await metricsAddress(server)
    const waiting = (it: Scraped) =>
      it.sum('monoceros_queue_requests') + it.sum('monoceros_lookahead_requests')
    // Requests are given ahead only to workers that were quick, and on a busy machine they are so
    // only now and then.
    for (let round = 0; ; round++) {
      for (let i = 0; i < 50; i++) {
        expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      }
      const [freed, kept] = [`a${round}`, `b${round}`]
      for (const key of [freed, kept]) {
        const connection = await RawConnection.open(server)
        await connection.send(get(`/wait?key=${key}`))
      }
      const quick = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const connection = await RawConnection.open(server)
          await connection.send(get('/pid'))
          return connection
        }),
      )
      await Promise.all([server.begun(freed), server.begun(kept)])
      await scraped(address, 'twelve that wait', (it) => waiting(it) === 12)
      // One worker is free again, and answers all of them.
      server.go(freed)
      const pids = await Promise.all(quick.map(async (one) => (await one.readResponse()).text))
      expect(new Set(pids).size).toBe(1)
      const now = await scrape(address)
      server.go(kept)
      const givenBack = [...server.log().matchAll(/gave back (\d+) requests/g)]
      expect(now.sum('monoceros_recalls_total')).toBeGreaterThanOrEqual(givenBack.length)
      expect(now.sum('monoceros_requests_given_back_total')).toBe(
        givenBack.reduce((sum, [, count]) => sum + Number(count), 0),
      )
      expect(waiting(now)).toBe(0)
      if (givenBack.length > 0) break
    }
  })

  test('responses that wait for their clients', async () => {
    const args = ['--response-spool-size', '0']
    const server = await startPlain({ args: [...METRICS, ...args], secure: false })
    const address = await metricsAddress(server)
    const deaf = await Promise.all([1, 2, 3].map(() => RawConnection.open(server)))
    for (const client of deaf) {
      client.socket.pause()
      await client.send(get('/big?size=50000000'))
    }
    const aside = 'monoceros_exchanges_put_aside'
    await scraped(address, 'three that wait', (it) => it.sum(aside) === 3)
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    const [first, ...others] = deaf
    first!.close()
    await scraped(address, 'two that wait', (it) => it.sum(aside) === 2)
    for (const client of others) client.close()
    await scraped(address, 'none that waits', (it) => it.sum(aside) === 0)
  })

  test('that cannot load the application any more', async () => {
    const folder = temporaryDirectory()
    onTestFinished(folder.remove)
    const broken = join(folder.path, 'broken')
    writeFileSync(
      join(folder.path, 'shop.py'),
      `import os
if os.path.exists("broken"):
    raise RuntimeError("broken on purpose")

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
`,
    )
    const server = await startServer({ app: 'shop:app', args: METRICS, cwd: folder.path })
    const address = await metricsAddress(server)
    writeFileSync(broken, '')
    process.kill(server.workers()[0]!, 'SIGKILL')
    const ends = 'monoceros_worker_ends_total'
    await scraped(address, 'two attempts', (it) => it.sum(ends, { cause: 'load-failed' }) >= 2)
    rmSync(broken)
    const idle = { state: 'idle' }
    const now = await scraped(address, 'a worker', (it) => it.sum('monoceros_workers', idle) === 1)
    expect(now.sum(ends, { cause: 'crashed' })).toBe(1)
    // Each start has loaded the application, or has failed to.
    const failed = now.sum(ends, { cause: 'load-failed' })
    expect(now.sum('monoceros_worker_starts_total')).toBe(2 + failed)
    expect(now.sum('monoceros_worker_load_seconds_count')).toBe(2)
    expect(failed).toBe(server.log().split('RuntimeError: broken on purpose').length - 1)
  })
})

describe.runIf(hasPython())('resources', () => {
  test('memory that is held for clients, beside its limit', async () => {
    const args = ['--client-memory', '50M']
    const server = await startPlain({ args: [...METRICS, ...args], secure: false })
    const address = await metricsAddress(server)
    const held = 'monoceros_client_memory_bytes'
    const before = (await scrape(address)).sum(held)
    const head = 'POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n'
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => sending(server, head + 'x'.repeat(30_000))),
    )
    const now = await scraped(address, 'bodies', (it) => it.sum(held) - before >= 20 * 30_000)
    expect(now.sum('monoceros_client_memory_limit_bytes')).toBe(50 * 1024 * 1024)
    // Blocks, in which bodies are kept, are larger than what came; but not by more than a block.
    expect(now.sum(held) - before).toBeLessThan(20 * (30_000 + 2 * 65_536))
    for (const client of clients) client.destroy()
    await scraped(address, 'nothing that is held', (it) => it.sum(held) === before)
  })

  test('log entries that were left out, and those that were written', async () => {
    const server = await startPlain({ args: METRICS, secure: false })
    const address = await metricsAddress(server)
    const bad = 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
    for (let i = 0; i < 60; i++) expect((await exchangeOnce(server, bad)).status).toBe(400)
    const now = await scrape(address)
    const leftOut = now.sum('monoceros_log_entries_left_out_total')
    expect(leftOut).toBeGreaterThan(0)
    expect(now.sum('monoceros_requests_refused_total', { reason: 'two-hosts' })).toBe(60)
    const written = server.log().match(/\[WARNING\] Refused/g)!.length
    expect(written + leftOut).toBe(60)
  })

  test('an event loop that is held up', async () => {
    const server = await startPlain({ args: [...METRICS, '--workers', '1'], secure: false })
    const address = await metricsAddress(server)
    const delay = 'monoceros_event_loop_delay_seconds'
    const before = await scrape(address)
    const acceptor = Number(/Acceptor (\d+) /.exec(server.log())![1])
    process.kill(acceptor, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, 1300))
    process.kill(acceptor, 'SIGCONT')
    const late = (it: Scraped) => it.sum(`${delay}_count`) - it.sum(`${delay}_bucket`, { le: '1' })
    const now = await scraped(address, 'the delay', (it) => late(it) - late(before) >= 1)
    expect(now.sum(`${delay}_sum`) - before.sum(`${delay}_sum`)).toBeGreaterThan(1.1)
    expect(now.sum(`${delay}_count`, { slot: '1' })).toBe(now.sum(`${delay}_count`))
  })
})
