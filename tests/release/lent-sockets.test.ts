import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get, startPlain } from '../support/plain-application.ts'
import { childrenOf, openDescriptors, residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

// Many clients at once that do to lent sockets what they can: docs/decisions/109-….

const SIZE = 2_000_000
const MEGABYTE = 1024 ** 2
const targets = [`/whole?size=${SIZE}`, '/file?name=file']

type Client = (client: RawConnection, target: string) => Promise<void>

/** What clients do. */
const kinds: readonly [name: string, client: Client][] = [
  ['do not read', async (client, target) => await client.send(get(target))],
  [
    'reset in the middle',
    async (client, target) => {
      await client.send(get(target))
      await client.readSome(1000)
      client.reset()
    },
  ],
  [
    'close their own direction',
    async (client, target) => {
      await client.send(get(target))
      client.halfClose()
      const { status, text, complete } = await client.readResponse()
      // One whose request has waited for a second counts as gone.
      if (status !== 503) expect([text.length, complete]).toEqual([SIZE, true])
    },
  ],
  [
    'send requests ahead',
    async (client, target) => {
      await client.send(get(target) + get('/') + get(target))
      expect((await client.readResponse()).body.length).toBe(SIZE)
      expect((await client.readResponse()).text).toBe('hello\n')
      expect((await client.readResponse()).body.length).toBe(SIZE)
    },
  ],
  [
    'read a little',
    async (client, target) => {
      await client.send(get(target))
      for (let i = 0; i < 10; i++) await client.readSome(100)
    },
  ],
]

describe.skipIf(!hasPython() || process.platform !== 'linux')('lent sockets', () => {
  test('three hundred hostile clients hold little, and disturb nobody', async () => {
    const log = temporaryFile('access.log')
    const server = await startPlain({
      args: [
        ...['--workers', '2', '--client-memory', '64M'],
        // The server counts from when the kernel has the answer, and a busy machine may take
        // seconds to read it.
        ...['--keep-alive', '60'],
        ...['--access-logfile', log, '--access-logformat', '%(U)s %(s)s %(B)s'],
      ],
      secure: false,
    })
    writeFileSync(join(server.data, 'file'), Buffer.alloc(SIZE, 'f'))
    const processes = () => [...server.workers(), ...childrenOf(server.pid)]
    const polite = await RawConnection.open(server)
    polite.timeout = 60_000
    for (const target of targets) await polite.request(get(target))
    const before = processes().map((pid) => [pid, openDescriptors(pid)] as const)
    const memory = processes().reduce((sum, pid) => sum + residentMemory(pid), 0)
    const clients: RawConnection[] = []
    const hostile = Array.from({ length: 300 }, async (_, index) => {
      const client = await RawConnection.open(server)
      client.timeout = 60_000
      clients.push(client)
      await kinds[index % kinds.length]![1](client, targets[index % targets.length]!)
    })
    const askPolitely = async () => {
      for (let i = 0; i < 10; i++) {
        const response = await polite.request(get(targets[i % 2]!))
        expect([response.status, response.body.length]).toEqual([200, SIZE])
      }
    }
    // The first failure is the one that is told: at the end of the test all others are cut.
    await Promise.all([...hostile, askPolitely()])
    const grown = processes().reduce((sum, pid) => sum + residentMemory(pid), 0) - memory
    // `client_memory`, and what each worker may hold before the acceptor knows of it: the bytes of
    // its offers (`_HELD` in lending.py).
    expect(grown).toBeLessThan((64 + 2 * 32) * MEGABYTE)
    for (const client of clients) client.reset()
    await waitFor('all descriptors to be closed', () =>
      before.every(([pid, open]) => openDescriptors(pid) <= open + 4),
    )
    await server.stop()
    // Each response that was read to its end is in the log with all of its bytes.
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    const whole = lines.filter((line) => line.endsWith(` 200 ${SIZE}`)).length
    expect(whole).toBeGreaterThanOrEqual(12 + 2 * 60)
    const sizes = lines.map((line) => Number(line.split(' ')[2]))
    expect(Math.max(...sizes)).toBe(SIZE)
  })

  test('workers that are killed cut only their own responses, and a reload none', async () => {
    const server = await startPlain({ args: ['--workers', '2'], secure: false })
    writeFileSync(join(server.data, 'file'), Buffer.alloc(SIZE, 'f'))
    const seen = { whole: 0, cut: 0 }
    const answered = Array.from({ length: 16 }, () => 0)
    let over = false
    const asking = Array.from({ length: 16 }, async (_, index) => {
      let client = await RawConnection.open(server)
      while (!over) {
        const target = targets[index % 2]!
        client.timeout = 60_000
        try {
          const response = await client.request(get(target))
          if (response.complete && response.status === 200) {
            expect(response.text).toBe((index % 2 === 0 ? 'w' : 'f').repeat(SIZE))
            seen.whole++
            answered[index]!++
            continue
          }
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error
        }
        seen.cut++
        client.close()
        client = await RawConnection.open(server)
      }
      client.close()
    })
    const more = async (count: number) => {
      const from = seen.whole
      await waitFor('more responses', () => seen.whole >= from + count, 60_000)
    }
    await more(50)
    for (let kills = 0; kills < 3; kills++) {
      const [victim] = server.workers()
      process.kill(victim!, 'SIGKILL')
      await server.waitForLog(new RegExp(`Worker ${victim} killed by SIGKILL`))
      await more(20)
    }
    // What the last one had begun has been cut before its clients have another answer.
    const before = [...answered]
    await waitFor(
      'an answer for each client',
      () => answered.every((count, index) => count > before[index]!),
      60_000,
    )
    // A worker has at most the requests of sixteen clients.
    expect(seen.cut).toBeLessThanOrEqual(3 * 16)
    const { cut } = seen
    for (let reloads = 0; reloads < 2; reloads++) {
      const old = server.workers()
      server.signal('SIGHUP')
      await waitFor('other workers', () => server.workers().every((pid) => !old.includes(pid)))
      await more(20)
    }
    expect(seen.cut).toBe(cut)
    over = true
    await Promise.all(asking)
    await server.stop()
  })

  test('a stop ends what is being sent first', async () => {
    const server = await startPlain({ args: ['--graceful-timeout', '60'], secure: false })
    const client = await RawConnection.open(server)
    client.timeout = 60_000
    await client.send(get('/whole?size=60000000'))
    await client.readSome(1000)
    const stopped = server.stop()
    const { rest } = await client.readToEnd()
    expect(rest.length).toBeGreaterThan(59_000_000)
    await stopped
  })

  test('without lend_sockets, the acceptor sends everything', async () => {
    const server = await startPlain({ args: ['--no-lend-sockets'], secure: false })
    const acceptor = childrenOf(server.pid)[0]!
    const read = () =>
      Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${acceptor}/io`, 'latin1'))![1])
    const client = await RawConnection.open(server)
    const before = read()
    for (let i = 0; i < 3; i++)
      expect((await client.request(get(targets[0]!))).body.length).toBe(SIZE)
    expect(read() - before).toBeGreaterThan(3 * SIZE)
  })
})

function temporaryFile(name: string): string {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  return join(path, name)
}
