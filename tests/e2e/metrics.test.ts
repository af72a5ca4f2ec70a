import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import {
  ask,
  metricsAddress,
  type Scraped,
  scrape,
  scrapeOnce,
  untilReady,
} from '../support/metrics.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Metrics and health at an address of their own (metrics_bind): each is moved, and compared with
// what the clients have counted. tests/release/prometheus.test.ts has a real Prometheus.

const APPLICATION = `
import os, signal, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/slow":
        time.sleep(0.02)
    if path == "/raise":
        raise ValueError("no")
    body = environ["wsgi.input"].read() or b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

let folder: { path: string; remove: () => void }

beforeAll(() => {
  folder = temporaryDirectory()
  writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
})

afterAll(() => folder.remove())

/** Waits until a scrape is as it should be. */
async function scrapeUntil(address: string, what: string, isSo: (scraped: Scraped) => boolean) {
  return await waitFor(what, async () => {
    const scraped = await scrape(address)
    return isSo(scraped) ? scraped : undefined
  })
}

describe.runIf(hasPython())('metrics', () => {
  let server: RunningServer
  let address: string

  beforeAll(async () => {
    const socket = join(folder.path, 'metrics.sock')
    const binds = ['--metrics-bind', '127.0.0.1:0', '--metrics-bind', `unix:${socket}`]
    const args = [...binds, '--backlog-limit', '1', '--static', `/static=${folder.path}`]
    server = await startServer({ app: 'shop:app', args, cwd: folder.path, secure: false })
    address = await metricsAddress(server)
  })

  /** What has been added to each metric by `work`. */
  async function moved(work: () => Promise<unknown>) {
    const before = await scrape(address)
    await work()
    const after = await scrape(address)
    return (...which: Parameters<Scraped['sum']>) => after.sum(...which) - before.sum(...which)
  }

  async function status(path: string, init?: RequestInit): Promise<number> {
    const response = await fetch(server.url + path, init)
    await response.arrayBuffer()
    return response.status
  }

  const acceptors = () =>
    [...server.log().matchAll(/Acceptor (\d+) with worker/g)].map((match) => Number(match[1]))

  test('health is told at three paths, to GET and HEAD only', async () => {
    for (const path of ['/livez', '/readyz', '/startupz']) {
      await untilReady(address, path)
      expect(await ask(address, path)).toMatchObject({ status: 200, body: 'ok\n' })
      const head = await ask(address, `${path}?verbose`, { method: 'HEAD' })
      expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '3' } })
      const post = await ask(address, path, { method: 'POST' })
      expect(post).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
    }
    expect(await ask(address, '/nothing')).toMatchObject({ status: 404 })
    await untilReady(`unix:${join(folder.path, 'metrics.sock')}`)
  })

  test('requests, bytes and files are what the client has counted', async () => {
    const by = await moved(async () => {
      for (let i = 0; i < 7; i++) expect(await status('/')).toBe(200)
      const body = 'x'.repeat(100_000)
      for (let i = 0; i < 3; i++) expect(await status('/', { method: 'POST', body })).toBe(200)
      expect(await status('/raise')).toBe(500)
      expect(await status('/static/shop.py')).toBe(200)
      expect(await status('/static/nothing')).toBe(200)
    })
    const requests = 'monoceros_requests_total'
    expect(by(requests, { method: 'GET', status: '2xx', application: 'shop:app' })).toBe(9)
    expect(by(requests, { method: 'POST', status: '2xx' })).toBe(3)
    expect(by(requests, { method: 'GET', status: '5xx' })).toBe(1)
    expect(by(requests)).toBe(13)
    expect(by('monoceros_static_hits_total')).toBe(1)
    expect(by('monoceros_request_body_bytes_total')).toBe(300_000)
    expect(by('monoceros_response_body_bytes_total')).toBeGreaterThan(300_000 + 8 * 5)
    expect(by('monoceros_request_duration_seconds_count')).toBe(13)
    expect(by('monoceros_request_duration_seconds_bucket', { le: '+Inf' })).toBe(13)
    expect(by('monoceros_request_first_byte_seconds_count')).toBe(13)
    // All but the file.
    expect(by('monoceros_request_queue_seconds_count')).toBe(12)
    expect(by('monoceros_request_application_seconds_count')).toBe(12)
    expect(by('monoceros_log_entries_total', { level: 'error' })).toBe(1)
  })

  test('a malformed request is a refusal with its reason, and no request', async () => {
    const by = await moved(async () => {
      const answer = await exchangeOnce(server, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
      expect(answer.status).toBe(400)
    })
    expect(by('monoceros_requests_refused_total', { reason: 'two-hosts' })).toBe(1)
    expect(by('monoceros_requests_total')).toBe(0)
    expect(by('monoceros_connections_accepted_total')).toBe(1)
  })

  test('a full queue is counted as often as clients have got 503', async () => {
    let full = 0
    const by = await moved(async () => {
      const all = Array.from({ length: 60 }, () => status('/slow'))
      full = (await Promise.all(all)).filter((one) => one === 503).length
    })
    expect(full).toBeGreaterThan(0)
    expect(by('monoceros_request_losses_total', { cause: 'no-capacity' })).toBe(full)
    expect(by('monoceros_requests_total', { status: '5xx' })).toBe(full)
    expect(by('monoceros_requests_total')).toBe(60)
    // One after the other they take 20 ms each, and the last one has waited for all others.
    const worked = 60 - full
    expect(by('monoceros_request_application_seconds_count')).toBe(worked)
    expect(by('monoceros_request_application_seconds_sum')).toBeGreaterThan(worked * 0.02 - 0.005)
    expect(by('monoceros_request_queue_seconds_sum')).toBeGreaterThan((worked - 1) * 0.01)
  })

  test('a body that waits for its end is in the spool, and leaves it', async () => {
    const socket = connect(server.port, server.host)
    socket.on('error', () => {})
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n`)
    socket.write(Buffer.alloc(4_000_000))
    const held = await scrapeUntil(
      address,
      'bytes in the spool',
      (now) => now.sum('monoceros_spool_bytes') > 0,
    )
    expect(held.sum('monoceros_requests_in_progress')).toBe(1)
    expect(held.sum('monoceros_connections', { protocol: 'http1', state: 'active' })).toBe(1)
    const by = await moved(async () => {
      socket.destroy()
      await scrapeUntil(address, 'an empty spool', (now) => now.sum('monoceros_spool_bytes') === 0)
    })
    expect(by('monoceros_requests_total', { method: 'POST', status: '4xx' })).toBe(1)
  })

  test('a worker that is killed is lost, and replaced', async () => {
    const by = await moved(async () => {
      const before = await scrape(address)
      expect(await status('/kill')).toBe(502)
      await scrapeUntil(
        address,
        'another worker',
        (now) =>
          now.sum('monoceros_worker_load_seconds_count') >
          before.sum('monoceros_worker_load_seconds_count'),
      )
    })
    expect(by('monoceros_request_losses_total', { cause: 'worker-ended' })).toBe(1)
    expect(by('monoceros_worker_ends_total', { cause: 'crashed' })).toBe(1)
    expect(by('monoceros_worker_starts_total')).toBe(1)
    expect(by('monoceros_worker_load_seconds_count')).toBe(1)
    const now = await scrape(address)
    expect(now.sum('monoceros_workers', { state: 'idle' })).toBe(1)
    expect(now.count('monoceros_process_resident_memory_bytes')).toBe(3)
  })

  test('an acceptor that hangs is left out, and its counters stay', async () => {
    const before = await scrape(address)
    const pid = acceptors().at(-1)!
    process.kill(pid, 'SIGSTOP')
    try {
      const now = await scrapeOnce(address)
      expect(now.sum('monoceros_acceptors', { state: 'silent' })).toBe(1)
      const ready = await ask(address, '/readyz')
      expect(ready).toMatchObject({ status: 503, body: 'no acceptor answers\n' })
      expect(now.sum('monoceros_requests_total')).toBe(before.sum('monoceros_requests_total'))
      expect(now.count('monoceros_connections')).toBe(0)
      expect(await ask(address, '/livez')).toMatchObject({ status: 200 })
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  })

  test('counters do not go back when an acceptor is replaced, by a kill or a reload', async () => {
    const before = await scrape(address)
    const total = before.sum('monoceros_requests_total')
    process.kill(acceptors().at(-1)!, 'SIGKILL')
    const now = await scrapeUntil(
      address,
      'another acceptor',
      (scraped) => scraped.sum('monoceros_workers', { state: 'idle' }) === 1,
    )
    expect(now.sum('monoceros_acceptor_ends_total', { cause: 'crashed' })).toBe(1)
    // Its worker has not crashed, but ended with it.
    const ends = 'monoceros_worker_ends_total'
    expect(now.sum(ends, { cause: 'acceptor-ended' })).toBe(1)
    expect(now.sum(ends, { cause: 'crashed' })).toBe(before.sum(ends, { cause: 'crashed' }))
    expect(now.sum('monoceros_requests_total')).toBe(total)
    const by = await moved(async () => {
      server.signal('SIGHUP')
      await scrapeUntil(
        address,
        'a reload',
        (scraped) => scraped.sum('monoceros_reloads_total', { result: 'done' }) === 1,
      )
      expect(await status('/')).toBe(200)
    })
    expect(by('monoceros_requests_total')).toBe(1)
    expect(by('monoceros_acceptor_ends_total')).toBe(0)
  })

  test('OpenMetrics is given to who accepts it', async () => {
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
    const { headers, body } = await ask(address, '/metrics', { headers: { accept } })
    expect(headers['content-type']).toContain('application/openmetrics-text; version=1.0.0')
    expect(body).toContain('# TYPE monoceros_requests counter\nmonoceros_requests_total{')
    expect(body.endsWith('\n# EOF\n')).toBe(true)
  })
})

test.runIf(hasPython())(
  'with a drain delay, the server says that it stops, and serves meanwhile',
  async () => {
    const args = ['--metrics-bind', '127.0.0.1:0', '--health-path', '/healthz']
    const server = await startServer({
      app: 'shop:app',
      args: [...args, '--drain-delay', '60'],
      cwd: folder.path,
      secure: false,
    })
    const address = await metricsAddress(server)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    server.signal('SIGTERM')
    await server.waitForLog(/SIGTERM: not ready any more, and stopping in 60 s/)
    const ready = await ask(address, '/readyz')
    expect(ready).toMatchObject({ status: 503, body: 'the server is stopping\n' })
    expect((await ask(address, '/livez')).status).toBe(200)
    const health = await waitFor('health to be told', async () => {
      const answer = await fetch(`${server.url}/healthz`)
      return answer.status === 503 ? answer : undefined
    })
    expect(await health.text()).toBe('the server is stopping\n')
    expect(await (await fetch(server.url)).text()).toBe('hello')
    // A second signal ends the delay.
    server.signal('SIGTERM')
    expect((await server.exited).code).toBe(0)
  },
)

test.runIf(hasPython())('an address that is in use is one line', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const args = ['--bind', '127.0.0.1:0', '--metrics-bind', `127.0.0.1:${port}`, 'shop:app']
  const { code, stderr } = await runCommand(args, { cwd: folder.path })
  taken.close()
  expect(code).toBe(1)
  expect(stderr).toContain(`Address already in use: 127.0.0.1:${port} (metrics_bind). Stop the`)
})
