import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { type Scraped, scrape, untilReady } from '../support/metrics.ts'
import { get, post } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Metrics of each kind of application, compared with what one client counts: the same requests, and
// the same numbers. The embedded Python is in embedded-smoke.test.ts.

const folder = temporaryDirectory()
afterAll(folder.remove)

let sockets = 0
/** Where a server shows its metrics: the same place before and after an upgrade. */
function metricsSocket(): { address: string; args: string[] } {
  const address = `unix:${join(folder.path, `metrics${++sockets}`)}`
  return { address, args: ['--metrics-bind', address] }
}

const PYTHON = `
import os

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("no")
    environ["wsgi.input"].read()
    body = b"x" * 2_000_000 if path == "/large" else str(os.getppid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

const TYPESCRIPT = `
export default async function app(environ, startResponse) {
  if (environ.PATH_INFO === '/raise') throw new Error('no')
  await environ['wsgi.input'].read()
  const body = environ.PATH_INFO === '/large' ? Buffer.alloc(2_000_000) : Buffer.from('hello')
  startResponse('200 OK', [['Content-Length', String(body.length)]])
  return [body]
}
`
writeFileSync(join(folder.path, 'shop.py'), PYTHON)
writeFileSync(join(folder.path, 'shop.mjs'), TYPESCRIPT)

async function start(app: string, args: string[]) {
  const metrics = metricsSocket()
  const all = [...metrics.args, ...args]
  const server = await startServer({ app, args: all, cwd: folder.path, secure: false })
  return { server, address: metrics.address }
}

/** What was counted since `before`. */
function since(before: Scraped, now: Scraped) {
  return (...which: Parameters<Scraped['sum']>) => now.sum(...which) - before.sum(...which)
}

/** Bytes that acceptors have read from anybody; those of a response that is lent are not. */
function readByAcceptors(arbiter: number): number {
  return childrenOf(arbiter)
    .filter((pid) => commandLineOf(pid).includes('acceptor'))
    .map((pid) => Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]))
    .reduce((sum, bytes) => sum + bytes, 0)
}

/** Sends requests, and expects the metrics to say so exactly. */
async function compare(server: RunningServer, address: string): Promise<void> {
  const before = await scrape(address)
  const client = await RawConnection.open(server)
  let received = 0
  const asked = async (request: string | Buffer, status: number) => {
    const response = await client.request(request)
    expect(response.status).toBe(status)
    received += response.body.length
  }
  for (let i = 0; i < 5; i++) await asked(get('/'), 200)
  for (let i = 0; i < 3; i++) await asked(get('/large'), 200)
  for (let i = 0; i < 2; i++) await asked(post('/', 'x'.repeat(70_000)), 200)
  await asked(get('/raise'), 500)
  client.close()
  expect(received).toBeGreaterThan(3 * 2_000_000)
  const by = since(before, await scrape(address))
  const requests = 'monoceros_requests_total'
  expect(by(requests, { method: 'GET', status: '2xx' })).toBe(8)
  expect(by(requests, { method: 'POST', status: '2xx' })).toBe(2)
  expect(by(requests, { method: 'GET', status: '5xx' })).toBe(1)
  expect(by(requests)).toBe(11)
  expect(by('monoceros_response_body_bytes_total')).toBe(received)
  expect(by('monoceros_request_body_bytes_total')).toBe(140_000)
  for (const name of ['duration', 'first_byte', 'queue', 'application'])
    expect([name, by(`monoceros_request_${name}_seconds_count`)]).toEqual([name, 11])
  expect(by('monoceros_connections_accepted_total')).toBe(1)
  expect(by('monoceros_requests_in_progress')).toBe(0)
}

/** Asks for large responses until a worker has sent one on its client's socket. */
async function compareLent(server: RunningServer, address: string): Promise<void> {
  const before = await scrape(address)
  const client = await RawConnection.open(server)
  let count = 0
  await waitFor('a response on a lent socket', async () => {
    const read = readByAcceptors(server.pid)
    expect((await client.request(get('/large'))).body.length).toBe(2_000_000)
    count++
    return readByAcceptors(server.pid) - read < 500_000
  })
  // A worker writes the end of a response to the client before it says so to the acceptor.
  const by = await waitFor('all requests to be counted', async () => {
    const now = since(before, await scrape(address))
    return now('monoceros_requests_total') >= count && now
  })
  expect(by('monoceros_requests_total', { status: '2xx' })).toBe(count)
  expect(by('monoceros_response_body_bytes_total')).toBe(count * 2_000_000)
  expect(by('monoceros_request_duration_seconds_count')).toBe(count)
  expect(by('monoceros_request_application_seconds_count')).toBe(count)
}

describe.runIf(hasPython())('metrics count what one client counts', () => {
  test('with workers that were forked, and after an upgrade those of the new server', async () => {
    const { server, address } = await start('shop:app', ['--preload', '--workers', '2'])
    await compare(server, address)
    await compareLent(server, address)
    const old = await scrape(address)
    expect(old.sum('monoceros_workers', { state: 'idle' })).toBe(2)
    expect(old.sum('monoceros_worker_starts_total')).toBe(2)

    server.signal('SIGUSR2')
    const [, pid] = await server.waitForLog(/The new server \((\d+)\) serves too/)
    const next = Number(pid)
    onTestFinished(async () => {
      if (isAlive(next)) process.kill(next, 'SIGTERM')
      await waitUntilGone(next)
    })
    // The address is that of the old one until it leaves.
    const started = 'monoceros_start_time_seconds'
    expect((await scrape(address)).sum(started)).toBe(old.sum(started))
    server.signal('SIGTERM')
    expect(await server.exited).toEqual({ code: 0, signal: null })
    await waitFor('metrics of the new server', async () => {
      const now = await scrape(address).catch(() => null)
      return now !== null && now.sum(started) > old.sum(started)
    })
    await untilReady(address)
    await compare(server, address)
    const now = await scrape(address)
    expect(now.sum('monoceros_requests_total')).toBe(11)
    expect(now.sum('monoceros_worker_starts_total')).toBe(2)
  })

  test('with greenlets', async () => {
    const { server, address } = await start('shop:app', ['-k', 'gevent'])
    await compare(server, address)
  })
})

test('metrics of an application in TypeScript count what one client counts', async () => {
  const { server, address } = await start('./shop.mjs', ['--workers', '2'])
  await compare(server, address)
  const now = await scrape(address)
  expect(now.sum('monoceros_workers')).toBe(2)
  expect(now.count('monoceros_queue_requests')).toBe(0)
})
