import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { childrenOf, commandLineOf } from '../support/processes.ts'
import { exchangeOnce, RawConnection, type RawResponse } from '../support/raw-client.ts'
import { forgetPeak, mebibytes, resourcesOf } from '../support/resources.ts'
import { waitFor } from '../support/wait-for.ts'

const MIB = 1024 * 1024

/** One way to make the server hold something. */
export interface HostileKind {
  readonly name: string
  /** What each client sends: at once, and then nothing more. It reads nothing. */
  readonly bytes: Buffer | string
  /**
   * What the server should have: enough workers or threads that none needs to wait for another by
   * itself.
   */
  readonly args?: readonly string[]
  /**
   * What the acceptor may grow by for all clients together, beside what each connection costs, in
   * bytes.
   */
  readonly acceptor: number
  /** What the worker may grow by, in bytes. */
  readonly worker: number
}

const chunked = 'POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n'

/** The budgets of the server under test: small, so that they are reached. */
const MEMORY = 48 * MIB
const DISK = 256 * MIB
const budgets = [
  '--client-memory',
  String(MEMORY),
  '--spool-size',
  String(DISK),
  '--spool-reserve',
  '0',
]
/** Beside what is counted, V8 and malloc keep some of what they had. */
const SLACK = 80 * MIB
/** A connection: its socket, its objects, what it is read into. */
const EACH = 40 * 1024

export const hostileKinds: readonly HostileKind[] = [
  {
    name: 'a body of one-byte chunks without an end',
    bytes: chunked + '1\r\nx\r\n'.repeat(100_000),
    acceptor: MEMORY,
    worker: 4 * MIB,
  },
  {
    name: 'a request with long field names, then silence',
    bytes:
      'GET / HTTP/1.1\r\nHost: test\r\n' +
      `${Array.from({ length: 7 }, (_, n) => `${'n'.repeat(8000)}${n}: v\r\n`).join('')}\r\n`,
    acceptor: MEMORY / 2,
    worker: 8 * MIB,
  },
  {
    name: 'a head without an end',
    bytes: `GET / HTTP/1.1\r\nHost: test\r\n${`X-Filler: ${'f'.repeat(8000)}\r\n`.repeat(7)}`,
    acceptor: MEMORY * 1.5,
    worker: 4 * MIB,
  },
  {
    name: 'a body of 900 KB that lacks its end',
    bytes:
      'POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n' +
      `${'b'.repeat(900_000)}`,
    acceptor: MEMORY * 1.5,
    worker: 4 * MIB,
  },
  {
    name: 'a body of 3 MB that lacks its end',
    bytes:
      'POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 4000000\r\n\r\n' +
      `${'B'.repeat(3_000_000)}`,
    acceptor: MEMORY * 1.5,
    worker: 4 * MIB,
  },
  {
    name: 'requests sent ahead of answers that are not read',
    bytes: get('/whole?size=3000000') + get('/', `X: ${'p'.repeat(8000)}`).repeat(30),
    acceptor: MEMORY * 1.5,
    worker: 96 * MIB,
  },
  {
    name: 'a list of 20 MB that is not read',
    bytes: get('/whole?size=20000000'),
    acceptor: MEMORY * 1.5,
    // Of those that it has begun at the same time, not of all clients.
    worker: 320 * MIB,
  },
  {
    name: '8 MB by write() that are not read',
    bytes: get('/written?size=8000000'),
    // Space on the disk is what keeps its threads free.
    args: ['--threads', '8', '--spool-size', '8G'],
    acceptor: MEMORY * 1.5,
    worker: 48 * MIB,
  },
  {
    name: 'a file of 20 MB that is not read',
    bytes: get('/file?name=twenty'),
    acceptor: MEMORY * 1.5,
    worker: 8 * MIB,
  },
]

/** How many answers an innocent client gets while the others hold what they have. */
const INNOCENT = 40

/**
 * That many clients of one kind at a time, while an innocent one is answered. Prints what acceptor
 * and worker grew by at most, and holds it to the kind's bounds.
 */
export async function hostileClients(kind: HostileKind, count: number): Promise<void> {
  const server = await startPlain({
    args: [...budgets, '--max-connections', String(count + 50), ...(kind.args ?? [])],
  })
  writeFileSync(join(server.data, 'twenty'), Buffer.alloc(20_000_000, 't'))
  const acceptor = acceptorOf(server)
  const [worker = 0] = server.workers()
  for (let warm = 0; warm < 20; warm++) await exchangeOnce(server, get('/'))
  const before = [acceptor, worker].map((pid) => resourcesOf(pid).resident)
  for (const pid of [acceptor, worker]) forgetPeak(pid)

  const clients: RawConnection[] = []
  const bytes = Buffer.from(kind.bytes as string, 'latin1')
  for (let n = 0; n < count; n++) {
    const client = await RawConnection.open(server)
    client.socket.write(bytes)
    clients.push(client)
  }
  const statuses = new Map<number, number>()
  for (let n = 0; n < INNOCENT; n++) {
    const { status } = await askPatiently(server, '/')
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  // What was refused, or could not be sent yet, is as it will stay.
  await waitFor('what the clients send to have arrived', () => settled(clients), 60_000)

  const [peakOfAcceptor = 0, peakOfWorker = 0] = [acceptor, worker].map(
    (pid) => resourcesOf(pid).peak,
  )
  const grown = {
    acceptor: peakOfAcceptor - (before[0] ?? 0),
    worker: peakOfWorker - (before[1] ?? 0),
  }
  console.log(
    `${count} clients, ${kind.name}: acceptor +${mebibytes(grown.acceptor)} ` +
      `(${mebibytes(grown.acceptor / count)} each), ` +
      `worker +${mebibytes(grown.worker)}; innocent: ` +
      `${JSON.stringify(Object.fromEntries(statuses))}`,
  )
  for (const client of clients) client.reset()
  expect(statuses).toEqual(new Map([[200, INNOCENT]]))
  expect(grown.acceptor).toBeLessThan(kind.acceptor + SLACK + count * EACH)
  expect(grown.worker).toBeLessThan(kind.worker)
  // It serves on, with what it had given back.
  expect((await askPatiently(server, '/big?size=1000000')).body.length).toBe(1_000_000)
  expect(server.workers()).toEqual([worker])
}

/** However long the queue is and however busy the machine. */
async function askPatiently(server: PlainServer, target: string): Promise<RawResponse> {
  const connection = await RawConnection.open(server)
  connection.timeout = 300_000
  const response = await connection.request(get(target, 'Connection: close'))
  connection.close()
  return response
}

function acceptorOf(server: PlainServer): number {
  const found = childrenOf(server.pid).filter((pid) => commandLineOf(pid).includes('acceptor'))
  expect(found.length).toBe(1)
  return found[0]!
}

let lastUnsent = -1
let unchanged = 0

/** Nobody's socket has taken anything for a while. */
function settled(clients: readonly RawConnection[]): boolean {
  const unsent = clients.reduce((sum, { socket }) => sum + socket.writableLength, 0)
  unchanged = unsent === lastUnsent ? unchanged + 1 : 0
  lastUnsent = unsent
  return unsent === 0 || unchanged > 20
}
