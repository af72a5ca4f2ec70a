import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { get } from '../support/plain-application.ts'
import { childrenOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'

// Ten thousand connections, and what the arbiter and an acceptor need for them.

const CONNECTIONS = 10_000
/** How many of them send a request at the same moment. */
const ACTIVE = 4096
/** What a server keeps free of descriptors, for files and for connections that come to leave. */
const OTHER_DESCRIPTORS = 3000

const folder = temporaryDirectory()
afterAll(folder.remove)
writeFileSync(
  join(folder.path, 'sizes.py'),
  `
BODIES = {"/hello": b"Hello, world!", "/10k": b"x" * 10240}

def app(environ, start_response):
    body = BODIES[environ["PATH_INFO"]]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`,
)

/** Asks for `path`, and waits for the whole answer, which must be 200. */
async function ask(client: KeepAliveClient, path: string): Promise<void> {
  expect((await client.request(get(path))).status).toBe(200)
}

/** Connections that have not sent a request yet. */
async function connectAll(server: RunningServer, count: number): Promise<KeepAliveClient[]> {
  const clients: KeepAliveClient[] = []
  onTestFinished(() => {
    for (const client of clients) client.close()
  })
  while (clients.length < count) {
    const batch = Math.min(250, count - clients.length)
    clients.push(
      ...(await Promise.all(Array.from({ length: batch }, () => KeepAliveClient.open(server)))),
    )
  }
  return clients
}

/** The acceptor of a server that has one. */
function acceptorOf(server: RunningServer): number {
  const [acceptor] = childrenOf(server.pid)
  return acceptor!
}

/**
 * Memory of one of two processes of Node.js, in bytes: what is its own, and half of the files that
 * both have mapped. That is PSS (proc(5)), as it is if nothing else on the machine runs Node.js.
 */
function memoryOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const size = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024
  const own = size('Anonymous')
  return own + (size('Rss') - own) / 2
}

test.runIf(hasPython())(
  'ten thousand connections are served, 4,096 of them at the same moment',
  async () => {
    const most = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
    const free = most === 'unlimited' ? Number.POSITIVE_INFINITY : Number(most)
    // Where a process may not have so many descriptors, there are as many as it may have.
    const count = Math.min(CONNECTIONS, free - OTHER_DESCRIPTORS)
    expect(count).toBeGreaterThan(ACTIVE)
    const server = await startServer({
      app: 'sizes:app',
      args: [
        ...['-w', '2', '--backlog-limit', '8192'],
        // For connections that have sent a request, and for those that have not yet.
        ...['--keep-alive', '300', '--header-timeout', '300'],
      ],
      cwd: folder.path,
      openFiles: count + OTHER_DESCRIPTORS,
    })
    const acceptor = acceptorOf(server)
    const [first] = await connectAll(server, 1)
    const before = memoryOf(acceptor)
    const clients = await connectAll(server, count - 1)
    const each = (memoryOf(acceptor) - before) / count
    console.log(`bytes for each of ${count} connections: ${Math.round(each)}`)
    expect(each).toBeLessThan(12 * 1024)
    for (let round = 0; round < 3; round++)
      await Promise.all(clients.slice(0, ACTIVE).map((client) => ask(client, '/10k')))
    // The others were not closed meanwhile.
    await Promise.all([first!, ...clients.slice(-100)].map((client) => ask(client, '/hello')))
    expect(server.log()).not.toMatch(/ERROR|WARNING/)
  },
)

test.runIf(hasPython())(
  'arbiter and acceptor have at most 90 MiB together, while 64 connections are busy',
  async () => {
    const server = await startServer({ app: 'sizes:app', args: ['-w', '2'], cwd: folder.path })
    const processes = [server.pid, acceptorOf(server)]
    const clients = await connectAll(server, 64)
    const keepAsking = async (client: KeepAliveClient, path: string) => {
      for (let i = 0; i < 300; i++) await ask(client, path)
    }
    let most = 0
    for (const path of ['/hello', '/10k', '/hello']) {
      await Promise.all(clients.map((client) => keepAsking(client, path)))
      const sizes = processes.map(memoryOf)
      most = Math.max(
        most,
        sizes.reduce((sum, size) => sum + size, 0),
      )
    }
    console.log(`MiB of arbiter and acceptor: ${(most / 1024 ** 2).toFixed(1)}`)
    expect(most / 1024 ** 2).toBeLessThan(90)
  },
)
