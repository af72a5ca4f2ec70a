import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { childrenOf, commandLineOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Large responses that a worker sends on the client's socket (docs/decisions/109-…). How it looks
// to a client that is slow or leaves is in the tests of these; frames are in
// python/tests/test_lending.py.

const SIZE = 2_000_000
const linux = process.platform === 'linux'

/** Bytes that the acceptor has read from anybody. A response that is lent is not among them. */
function readByAcceptor(server: PlainServer): number {
  const [acceptor = 0] = childrenOf(server.pid).filter((pid) =>
    commandLineOf(pid).includes('acceptor'),
  )
  return Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${acceptor}/io`, 'latin1'))![1])
}

/** Whether the acceptor has not seen the body of at least one of these responses. */
async function lends(server: PlainServer, ask: () => Promise<unknown>): Promise<boolean> {
  // On a busy machine, this client may be too slow for one of them.
  for (let attempt = 0; attempt < 20; attempt++) {
    const before = readByAcceptor(server)
    await ask()
    if (readByAcceptor(server) - before < SIZE / 4) return true
  }
  return false
}

describe.skipIf(!hasPython() || !linux)('a large response is sent by its worker', () => {
  test.each([
    ['one thread', []],
    ['threads', ['--threads', '3']],
    ['workers that were forked', ['--preload']],
  ])('in order with all others, and logged: %s', async (_, args) => {
    const log = join(temporary(), 'access.log')
    const server = await startPlain({
      args: [...args, '--access-logfile', log, '--access-logformat', '%(U)s %(s)s %(B)s'],
      secure: false,
    })
    writeFileSync(join(server.data, 'file'), Buffer.alloc(SIZE, 'f'))
    const client = await RawConnection.open(server)
    for (const [target, letter] of [
      [`/whole?size=${SIZE}`, 'w'],
      ['/file?name=file', 'f'],
    ] as const) {
      const ask = async () => {
        // The next request is there already when the response begins.
        await client.send(get(target) + get('/'))
        expect((await client.readResponse()).text).toBe(letter.repeat(SIZE))
        expect((await client.readResponse()).text).toBe('hello\n')
      }
      expect(await lends(server, ask), `${target} is lent`).toBe(true)
    }
    await server.stop()
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const sizes = new Set(lines.filter((line) => !line.startsWith('/ ')))
    expect([...sizes]).toEqual([`/whole 200 ${SIZE}`, `/file 200 ${SIZE}`])
  })

  test('whose application writes to the channel, which nobody reads', async () => {
    const server = await startServer({ app: 'scribbler:app', cwd: appsDirectory, secure: false })
    const client = await RawConnection.open(server)
    for (const target of ['/scribble', '/', '/scribble', '/']) {
      const response = await client.request(get(target))
      expect(response.text.length).toBe(target === '/' ? 1_000_000 : 9)
    }
  })

  test('over a unix socket', async () => {
    const path = join(temporary(), 'socket')
    const server = await startPlain({ args: ['--bind', `unix:${path}`], secure: false })
    const client = await RawConnection.open({ socketPath: path, port: 0 })
    const ask = async () => {
      const response = await client.request(get(`/whole?size=${SIZE}`))
      expect(response.body.length).toBe(SIZE)
    }
    expect(await lends(server, ask)).toBe(true)
  })

  test('a worker that is killed cuts it, and not the others', async () => {
    const server = await startPlain({ args: ['--workers', '2'], secure: false })
    const client = await RawConnection.open(server)
    await client.send(get('/whole?size=100000000'))
    await waitFor('the response', async () => (await client.readSome()).length > 0)
    for (const pid of server.workers()) process.kill(pid, 'SIGKILL')
    const { rest } = await client.readToEnd()
    expect(rest.length).toBeLessThan(100_000_000)
    const other = await RawConnection.open(server)
    const response = await other.request(get(`/whole?size=${SIZE}`))
    expect(response.body.length).toBe(SIZE)
    await server.waitForLog(/ended while it ran this request/)
  })
})

function temporary(): string {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  return path
}
