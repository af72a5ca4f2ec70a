import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { openDescriptors, residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// What files that are sent by the server cost, with the real command: memory and descriptors.

const APPLICATION = `
import os

def app(environ, start_response):
    headers = [("X-Sendfile", os.environ["FILES"] + environ["PATH_INFO"])]
    start_response("200 OK", headers if environ["PATH_INFO"] != "/here" else [])
    return [b"here"]
`
const TYPESCRIPT = `
export function app(environ, startResponse) {
  const file = process.env.FILES + environ.PATH_INFO
  startResponse('200 OK', [['Content-Type', 'text/plain'], ['X-Sendfile', file]])
  return [new TextEncoder().encode('dropped')]
}
`
const MEGABYTE = 1024 ** 2
/** Several times what the memory may grow by. */
const LARGE = 256 * MEGABYTE
/** More than any client is sent. */
const ENDLESS = 1024 * MEGABYTE
const SMALL_FILES = 10_000
/** Up to 32 KB, and 160 MB in all of them. */
const smallFile = (number: number) => `file ${number} `.repeat(12 * (number % 300))
const SLOW_CLIENTS = 200

describe.skipIf(!hasPython())('files that are sent by the server', () => {
  let directory: ReturnType<typeof temporaryDirectory>
  let server: RunningServer
  let acceptor: number

  beforeAll(async () => {
    directory = temporaryDirectory()
    const files = join(directory.path, 'files')
    mkdirSync(join(files, 'small'), { recursive: true })
    writeFileSync(join(directory.path, 'sending.py'), APPLICATION)
    for (const [name, size] of [
      ['large.bin', LARGE],
      ['slow.bin', ENDLESS],
    ] as const) {
      writeFileSync(join(files, name), '')
      truncateSync(join(files, name), size)
    }
    for (let i = 0; i < SMALL_FILES; i++)
      writeFileSync(join(files, 'small', `${i}.txt`), smallFile(i))
    server = await startServer({
      app: 'sending:app',
      args: [
        ...['--static', '/static=files', '--sendfile-root', 'files', '--static-cache', '8M'],
        ...['--client-memory', '32M', '--workers', '1'],
      ],
      cwd: directory.path,
      env: { FILES: files },
    })
    acceptor = Number(/Acceptor (\d+) with/.exec(server.log())![1])
  })
  afterAll(async () => {
    await server?.stop()
    directory?.remove()
  })

  /** Reads an answer to its end, and returns how long its body was. */
  async function lengthOf(path: string, memory: (bytes: number) => void): Promise<number> {
    const answer = await fetch(`${server.url}${path}`)
    expect(answer.status).toBe(200)
    let length = 0
    for await (const piece of answer.body!) {
      length += piece.length
      if (length % 16 === 0) memory(residentMemory(acceptor))
    }
    return length
  }

  test.each(['/static/large.bin', '/large.bin'])(
    '256 MB of %s passes at flat memory',
    async (path) => {
      const before = residentMemory(acceptor)
      let most = 0
      const length = await lengthOf(path, (bytes) => {
        most = Math.max(most, bytes)
      })
      expect(length).toBe(LARGE)
      expect(most).toBeGreaterThan(0)
      expect(most - before).toBeLessThan(48 * MEGABYTE)
    },
    120_000,
  )

  test('ten thousand small files are right, and static_cache bounds their memory', async () => {
    const before = residentMemory(acceptor)
    const connections = await Promise.all([1, 2, 3, 4].map(() => RawConnection.open(server)))
    await Promise.all(
      connections.map(async (connection, first) => {
        for (let i = first; i < SMALL_FILES; i += connections.length) {
          const request = `GET /static/small/${i}.txt HTTP/1.1\r\nHost: a\r\n\r\n`
          const answer = await connection.request(request)
          expect(answer.text).toBe(smallFile(i))
        }
      }),
    )
    // All files would be 240 MB in memory. 8 MB may be kept. The rest is garbage, which V8 collects
    // when it has grown to several times what lives: 40 to 80 MB, however many files there are.
    expect(residentMemory(acceptor) - before).toBeLessThan(128 * MEGABYTE)
  }, 120_000)

  test('clients that do not read hold little, one descriptor, and nobody up', async () => {
    const before = residentMemory(acceptor)
    const open = openDescriptors(acceptor)
    const slow = await Promise.all(
      Array.from({ length: SLOW_CLIENTS }, async (_, index) => {
        const connection = await RawConnection.open(server)
        const path = index % 2 === 0 ? '/static/slow.bin' : '/slow.bin'
        await connection.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
        connection.timeout = 60_000
        expect((await connection.readSome(100)).toString('latin1')).toMatch(/^HTTP\/1\.1 200 /)
        return connection
      }),
    )
    // 32 clients have up to two pieces of 256 KiB, and the others one of 64 KiB: 27 MB. V8 lets 64
    // MB of freed buffers come together before it collects them.
    expect(residentMemory(acceptor) - before).toBeLessThan((27 + 64) * MEGABYTE)
    // One for each client, and one for the file by each of its two names.
    const files = openDescriptors(acceptor) - open - SLOW_CLIENTS
    expect(files).toBeLessThanOrEqual(4)
    const small = await fetch(`${server.url}/static/small/299.txt`)
    expect(await small.text()).toBe(smallFile(299))
    expect(await (await fetch(`${server.url}/here`)).text()).toBe('here')
    for (const connection of slow) connection.reset()
    await waitFor('their descriptors to be closed', () => openDescriptors(acceptor) <= open + 4)
  }, 120_000)
})

describe('files in front of an application in TypeScript', () => {
  const directory = temporaryDirectory()
  const files = join(directory.path, 'private')
  let server: RunningServer
  beforeAll(async () => {
    for (const [name, content] of [
      ['private/bill.pdf', 'a bill'],
      ['static/site.css', 'a{}'],
      ['other/site.css', 'b{}'],
      ['site/index.html', '<h1>front</h1>'],
      ['served.mjs', TYPESCRIPT],
    ] as const) {
      mkdirSync(join(directory.path, name, '..'), { recursive: true })
      writeFileSync(join(directory.path, name), content)
    }
    settings({ static: { '/': 'site', '/static': 'static' }, spa: true, sendfile_root: [files] })
    const args = ['--config', 'settings.json']
    const env = { FILES: files }
    server = await startServer({ app: './served.mjs:app', args, cwd: directory.path, env })
  })
  afterAll(async () => {
    await server?.stop()
    directory.remove()
  })
  const settings = (values: object) =>
    writeFileSync(join(directory.path, 'settings.json'), JSON.stringify(values))
  const get = (path: string) => fetch(`${server.url}${path}`, { headers: { Accept: 'text/html' } })

  test('the application has files sent', async () => {
    const sent = await get('/bill.pdf')
    expect([await sent.text(), sent.headers.get('X-Sendfile')]).toEqual(['a bill', null])
    expect(await (await get('/static/site.css')).text()).toBe('a{}')
    expect(await (await get('/')).text()).toBe('<h1>front</h1>')
  })

  test('a reload serves another folder', async () => {
    settings({ static: { '/static': 'other' } })
    server.signal('SIGHUP')
    await waitFor('the other folder', async () => {
      return (await (await get('/static/site.css')).text()) === 'b{}'
    })
    // A connection that was idle may get one more answer of the old process.
    await waitFor('the new settings', async () => (await (await get('/')).text()) === 'dropped')
    // Without the setting, the field is like any other.
    const answer = await get('/bill.pdf')
    expect(answer.headers.get('X-Sendfile')).toBe(`${files}/bill.pdf`)
    expect(await answer.text()).toBe('dropped')
  })
})
