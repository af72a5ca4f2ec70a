import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startEndurance } from '../support/endurance-application.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { get } from '../support/plain-application.ts'
import { median, quantile } from '../support/quantile.ts'
import { mebibytes, resourcesOf } from '../support/resources.ts'
import { streamFor } from '../support/steady-stream.ts'
import { within } from '../support/wait-for.ts'
import { startSlowClients } from './slow-clients.ts'

// The small version of this is tests/e2e/slow-clients.test.ts.

const stream = { clients: 4, pause: 2, request: () => get('/') }

test('two hundred slow clients leave the answers of one sync worker as they are', async () => {
  const server = await startEndurance(['--workers', '1'])
  const acceptor = server.acceptor()
  const [worker = 0] = server.workers()
  await streamFor(server, 1_000, stream)

  const without = { medians: [] as number[], p99s: [] as number[] }
  const withThem: typeof without = { medians: [], p99s: [] }
  const note = (where: typeof without, milliseconds: number[]) => {
    where.medians.push(quantile(milliseconds, 0.5))
    where.p99s.push(quantile(milliseconds, 0.99))
  }
  const before = { acceptor: resourcesOf(acceptor), worker: resourcesOf(worker) }

  for (let round = 1; round <= 3; round++) {
    const alone = await streamFor(server, 4_000, stream)
    expect(alone.faults).toEqual([])
    note(
      without,
      alone.sent.map(({ answer }) => answer.milliseconds),
    )

    const slow = await startSlowClients(server, 200)
    // Not measured, but counted: the beginning, in which all of them get what fits into the
    // system's buffers.
    const start = await streamFor(server, 1_000, stream)
    const others = await streamFor(server, 4_000, stream)
    expect([...start.faults, ...others.faults]).toEqual([])
    expect([...start.sent, ...others.sent].every(({ answer }) => answer.status === 200)).toBe(true)
    expect(slow.dropped()).toBe(0)
    const sizes = { acceptor: resourcesOf(acceptor), worker: resourcesOf(worker) }
    note(
      withThem,
      others.sent.map(({ answer }) => answer.milliseconds),
    )
    await slow.leave()
    console.log(
      `round ${round}: ${alone.sent.length} answers without, ${others.sent.length} with ` +
        '200 slow clients; ' +
        `median ${without.medians.at(-1)?.toFixed(2)} and ` +
        `${withThem.medians.at(-1)?.toFixed(2)} ms, ` +
        `p99 ${without.p99s.at(-1)?.toFixed(2)} and ${withThem.p99s.at(-1)?.toFixed(2)} ` +
        'ms; slowest in their first second ' +
        `${Math.max(...start.sent.map(({ answer }) => answer.milliseconds)).toFixed(1)} ` +
        'ms; acceptor ' +
        `${mebibytes(before.acceptor.resident)} before, ` +
        `${mebibytes(sizes.acceptor.resident)} with; ` +
        `worker ${mebibytes(before.worker.resident)} and ${mebibytes(sizes.worker.resident)}`,
    )
    // 67 windows of 256 KiB, what the worker holds of as many responses, and a garbage collector
    // that takes its time.
    expect(sizes.acceptor.resident - before.acceptor.resident).toBeLessThan(128 * 1024 * 1024)
    expect(sizes.worker.resident - before.worker.resident).toBeLessThan(64 * 1024 * 1024)
  }
  expect(server.workers()).toEqual([worker])
  console.log(
    `medians of three: median ${median(without.medians).toFixed(2)} ms without, ` +
      `${median(withThem.medians).toFixed(2)} ms with; ` +
      `p99 ${median(without.p99s).toFixed(2)} and ${median(withThem.p99s).toFixed(2)} ms`,
  )
  // This process is the two hundred slow clients too; what they cost it is in these factors.
  expect(median(withThem.medians)).toBeLessThan(2 * median(without.medians) + 1)
  expect(median(withThem.p99s)).toBeLessThan(4 * median(without.p99s) + 10)
})

// For docs/endurance.md: MONOCEROS_SOAK_COMPARE=1. It promises nothing, so nothing can fail but the
// measurement.
test.runIf(process.env.MONOCEROS_SOAK_COMPARE)(
  'for comparison: Gunicorn, two sync workers, forty slow clients',
  async () => {
    for (const [count, start] of [
      [0, startGunicorn],
      [40, startGunicorn],
      [40, undefined],
    ] as const) {
      const server = await startEndurance(['--workers', '2'], start ? { start } : {})
      const slow = await startSlowClients(server, count)
      await sleep(1_000)
      const tried = 5_000
      const end = performance.now() + tried
      let answered = 0
      while (performance.now() < end) {
        try {
          const client = await KeepAliveClient.open(server)
          await within('an answer', end - performance.now(), client.request(get('/')))
          answered++
          client.close()
        } catch {
          // Not answered in the time that was left, which is the figure.
        }
      }
      console.log(
        `${start ? 'Gunicorn' : 'Monoceros'}, 2 workers, ${count} slow clients, a ` +
          'connection for each request, one after another: ' +
          `${answered} answers in ${tried / 1000} s`,
      )
      await slow.leave()
      await server.stop()
    }
  },
)
