import { connect } from 'node:http2'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { mebibytes, resourcesOf } from '../support/resources.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

/** What an acceptor may take beside what the cache holds, in bytes: garbage, sockets, heads. */
const SLACK = 96 * 1024 * 1024

function acceptorOf(server: RunningServer): number {
  return Number(/Acceptor (\d+) /.exec(server.log())?.[1])
}

describe.skipIf(!hasPython())('a cache', () => {
  test('that is flooded with URLs stays within its size', async () => {
    const args = ['--cache', '8M', '--threads', '4']
    const server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
    const acceptor = acceptorOf(server)
    const before = resourcesOf(acceptor).resident
    const connections = await Promise.all(
      Array.from({ length: 8 }, () => RawConnection.open(server)),
    )
    const host = new URL(server.url).host
    await Promise.all(
      connections.map(async (connection, which) => {
        for (let n = 0; n < 400; n++) {
          const path = `/page?max-age=600&${which}-${n}-${'x'.repeat(500)}`
          const text = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
          expect((await connection.request(text)).status).toBe(200)
        }
      }),
    )
    // 3,200 responses of 64 KB would be 210 MB.
    const grown = resourcesOf(acceptor).resident - before
    expect(grown, mebibytes(grown)).toBeLessThan(SLACK)
  })

  test('whose responses are not read holds each of them once', async () => {
    const sizes = ['--cache', '16M', '--cache-entry-size', '4M']
    // Fetch may be slow to use its idle connection again, beside so many others.
    const args = [...sizes, '--threads', '4', '--keep-alive', '60']
    const server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
    const target = `${server.url}/large?max-age=600`
    await (await fetch(target)).arrayBuffer()
    const acceptor = acceptorOf(server)
    const before = resourcesOf(acceptor).resident
    const host = new URL(server.url).host
    const readers = await Promise.all(Array.from({ length: 300 }, () => RawConnection.open(server)))
    for (const reader of readers)
      await reader.send(`GET /large?max-age=600 HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    for (let n = 0; n < 20; n++) {
      const response = await fetch(target)
      expect(response.headers.get('cache-status')).toMatch(/^monoceros; hit/)
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(2_600_000)
    }
    // 300 copies would be 780 MB.
    const grown = resourcesOf(acceptor).resident - before
    expect(grown, mebibytes(grown)).toBeLessThan(SLACK)
    const whole = await readers[0]!.readResponse()
    expect(whole.body.length).toBeGreaterThan(2_600_000)
  })

  test('answers clients of HTTP/1.1 and HTTP/2 alike, and shares its responses', async () => {
    const args = ['--cache', '4M', '--compress', '--h2c', '--threads', '4']
    const server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
    const session = connect(server.url)
    const get = (path: string, fields: Record<string, string> = {}) =>
      new Promise<{ status: number; cached: string; body: Buffer }>((resolve, reject) => {
        // As fetch sends it; what is compressed has a variant for each set of codings.
        const codings = { 'accept-encoding': 'deflate, gzip' }
        const stream = session.request({ ':path': path, ...codings, ...fields })
        const pieces: Buffer[] = []
        let status = 0
        let cached = ''
        stream.on('response', (headers) => {
          status = headers[':status'] ?? 0
          cached = String(headers['cache-status']).replace(/; ttl=.*/, '')
        })
        stream.on('data', (piece: Buffer) => pieces.push(piece))
        stream.on('end', () => resolve({ status, cached, body: Buffer.concat(pieces) }))
        stream.on('error', reject)
      })
    try {
      const path = '/tagged?max-age=600'
      const first = await get(path)
      expect(first.cached).toBe('monoceros; fwd=uri-miss; stored')
      const second = await get(path)
      expect([second.cached, second.body]).toEqual(['monoceros; hit', first.body])
      expect((await get(path, { 'if-none-match': '"tag"' })).status).toBe(304)
      const old = await fetch(`${server.url}${path}`)
      expect(old.headers.get('cache-status')).toMatch(/^monoceros; hit/)
      const all = await Promise.all(Array.from({ length: 20 }, () => get('/slow?max-age=600')))
      expect(new Set(all.map(({ body }) => body.toString())).size).toBe(1)
      const coded = await get('/text?max-age=600')
      expect(gunzipSync(coded.body).toString()).toContain('the same words')
      const again = await get('/text?max-age=600')
      expect([again.cached, again.body]).toEqual(['monoceros; hit', coded.body])
    } finally {
      session.close()
      await waitFor('the session to close', () => session.destroyed || session.closed)
    }
  })

  test('is empty after a reload', async () => {
    const args = ['--cache', '4M']
    const server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
    const status = async () =>
      (await fetch(`${server.url}/a?max-age=600`)).headers.get('cache-status') ?? ''
    expect(await status()).toContain('stored')
    expect(await status()).toContain('hit')
    server.signal('SIGHUP')
    await waitFor('a new response', async () => (await status()).includes('stored'))
  })
})

test('each process of a TypeScript application has a cache, and a PURGE reaches all of them', async () => {
  const app = `${appsDirectory}/typescript/cached.ts`
  const args = ['--cache', '1M', '--workers', '2', '--cache-purge-from', '127.0.0.1']
  const server = await startServer({ app, args })
  const { host } = new URL(server.url)
  const connections: RawConnection[] = []
  const answers = async (method = 'GET') => {
    const statuses: string[] = []
    for (const connection of connections) {
      const text = `${method} / HTTP/1.1\r\nHost: ${host}\r\n\r\n`
      const { headers } = await connection.request(text)
      statuses.push(headers.find(([name]) => name.toLowerCase() === 'cache-status')?.[1] ?? '')
    }
    return statuses
  }
  // The kernel chooses the process.
  await waitFor('a connection to each', async () => {
    connections.push(await RawConnection.open(server))
    return (
      (await answers()).filter((status) => status.includes('stored')).length === 1 &&
      connections.length > 1
    )
  })
  expect((await answers()).every((status) => status.includes('hit'))).toBe(true)
  const purged = await fetch(server.url, { method: 'PURGE' })
  expect(await purged.text()).toBe('Purged 1 response.\n')
  let stored = 0
  await waitFor('both to have dropped it, and stored it again', async () => {
    stored += (await answers()).filter((status) => status.includes('stored')).length
    return stored === 2
  })
})
