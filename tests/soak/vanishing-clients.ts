import { expect } from 'vitest'
import { type EnduranceServer, startEndurance } from '../support/endurance-application.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { abandonUpload, download, type Framing } from '../support/large-transfer.ts'
import { get } from '../support/plain-application.ts'
import {
  expectDescriptors,
  mebibytes,
  type Resources,
  resourcesOf,
  settledDescriptors,
} from '../support/resources.ts'

const mebibyte = 1024 * 1024
/** What the clients say, or hope, that there is; they leave long before that. */
const whole = 1000 * mebibyte

/**
 * Clients that vanish in the middle of large bodies, either way, and nothing of them stays:
 * compared are a first time, which also makes what a process makes once and keeps, and a second.
 *
 * @param count How many clients of each kind.
 * @param args For the server: `--no-request-buffering`.
 */
export async function vanishingClients(count: number, args: string[] = []): Promise<void> {
  // Otherwise malloc takes 64 MiB of addresses for each thread that comes when others are busy.
  const server = await startEndurance(args, { env: { MALLOC_ARENA_MAX: '1' } })
  await vanishAll(server, 'first', count)
  const before = await quietResources(server)
  const files = server.temporaryFiles()
  await vanishAll(server, 'second', count)
  await quietResources(server)
  // Descriptors come back as soon as both sides have noticed; anything else is a leak.
  const pids = [server.acceptor(), ...server.workers()]
  for (const [n, pid] of pids.entries()) await expectDescriptors(pid, before[n]?.descriptors ?? {})
  const after = pids.map(resourcesOf)

  expect(server.temporaryFiles()).toEqual(files)
  for (const [n, now] of after.entries()) {
    const then = before[n]
    if (then === undefined) throw new Error('another worker')
    expect(now.virtual - then.virtual).toBeLessThan(96 * mebibyte)
    expect(now.resident - then.resident).toBeLessThan(48 * mebibyte)
    expect(now.mappings - then.mappings).toBeLessThan(64)
  }

  // Each response that was begun had its close(), once.
  const events = server.events()
  const ids = (what: string) =>
    events
      .filter((event) => event.what === what)
      .map(({ id }) => id)
      .sort()
  expect(ids('begin')).toHaveLength(count * 4)
  expect(ids('close')).toEqual(ids('begin'))

  // A stream that the acceptor still had would keep it from leaving before graceful_timeout (30 s).
  const since = performance.now()
  expect(await server.stop()).toEqual({ code: 0, signal: null })
  const left = performance.now() - since
  expect(left).toBeLessThan(10_000)
  const describe = ({ resident, mappings, virtual, descriptors }: Resources) =>
    `${mebibytes(resident)} resident, ${mappings} mappings of ${mebibytes(virtual)}, ` +
    `descriptors ${JSON.stringify(descriptors)}`
  for (const [n, name] of ['acceptor', 'worker'].entries()) {
    const [then, now] = [before[n], after[n]]
    if (then && now) console.log(`${name}: ${describe(then)}\n   then: ${describe(now)}`)
  }
  console.log(
    `${count} clients of each of five kinds ` +
      `vanished${args.length ? ` (${args.join(' ')})` : ''}, twice; TERM took ` +
      `${left.toFixed(0)} ms`,
  )
}

/** Uploads that end in the middle, downloads that are not read to their end. */
async function vanishAll(server: EnduranceServer, round: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    for (const framing of ['length', 'chunked'] satisfies Framing[]) {
      // The number of MiB differs: in memory, about to go to the file, in the file.
      await abandonUpload(server, whole, framing, n % 8)
      const sized = framing === 'length' ? '&sized' : ''
      const path = `/download?size=${whole}&id=${round}-${framing}-${n}${sized}`
      await download(server, path, whole, { abandonAfter: 1 + (n % 8) * mebibyte })
    }
  }
  // Some at once, too.
  await Promise.all(
    Array.from({ length: count }, () => abandonUpload(server, whole, 'length', 3)).concat(
      Array.from({ length: count }, (_, n) => abandonUpload(server, whole, 'chunked', n % 4)),
    ),
  )
}

/** What acceptor and worker hold when all has been dealt with; the acceptor comes first. */
async function quietResources(server: EnduranceServer): Promise<Resources[]> {
  const client = await KeepAliveClient.open(server)
  expect(await client.request(get('/'))).toMatchObject({ status: 200 })
  client.close()
  const pids = [server.acceptor(), ...server.workers()]
  await settledDescriptors(pids)
  return pids.map(resourcesOf)
}
