import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { startEndurance } from '../support/endurance-application.ts'
import { get } from '../support/plain-application.ts'
import { childrenOf, isAlive } from '../support/processes.ts'
import { startStream } from '../support/steady-stream.ts'
import { waitFor } from '../support/wait-for.ts'

/** How much longer it goes on until somebody was killed in the middle of something. */
const PATIENCE_MS = 15_000

/**
 * Four workers under load, one of which is killed every so often; then the accounts are made up:
 * what the clients have seen against what the application says it has begun.
 *
 * @param duration For how long, in milliseconds.
 * @param interval Milliseconds between two killings.
 */
export async function killedWorkers(duration: number, interval: number): Promise<void> {
  const server = await startEndurance(['--workers', '4', '--keep-alive', '60'])
  const acceptor = server.acceptor()
  // Enough clients, and requests that take their time, to have every worker in the middle of one
  // and others queued behind it.
  const stream = await startStream(server, {
    clients: 16,
    request: (n) => get(`/begin?id=${n}${n % 4 === 0 ? '&ms=10' : ''}`),
  })
  const killed: number[] = []
  const end = performance.now() + duration
  // On a slow machine the first few may have been idle, or still starting.
  const nobodyLost = () => !stream.report.sent.some(({ answer }) => answer.status === 502)
  while (performance.now() < end || (nobodyLost() && performance.now() < end + PATIENCE_MS)) {
    await sleep(interval)
    // Any of those that serve; one that is still starting takes part, too.
    const workers = childrenOf(acceptor).filter(isAlive)
    const victim = workers[Math.floor(Math.random() * workers.length)]
    if (victim === undefined) continue
    process.kill(victim, 'SIGKILL')
    killed.push(victim)
  }
  await waitFor('four workers again', () => server.workers().length === 4, 30_000)
  const at = stream.report.sent.length
  await waitFor('answers from them', () => stream.report.sent.length > at + 100)
  const { sent, faults } = await stream.stop()

  // Every request was answered, on a connection that stayed or was closed in an orderly way.
  expect(faults).toEqual([])
  const good = sent.filter(({ answer }) => answer.status === 200)
  const lost = sent.filter(({ answer }) => answer.status === 502)
  expect(sent.length).toBe(good.length + lost.length)
  expect(new Set(sent.map(({ number }) => number)).size).toBe(sent.length)

  // Nothing was begun twice; what was answered was begun; what was lost and had begun, had begun on
  // a worker that was killed.
  const begun = server.events().filter(({ what }) => what === 'begin')
  const pidOf = new Map(begun.map(({ id, pid }) => [id, pid]))
  expect(pidOf.size).toBe(begun.length)
  for (const { number, answer } of good) {
    expect(answer.body).toMatch(new RegExp(`^${number} ${pidOf.get(String(number))} \\d+$`))
  }
  const lostBegun = lost.filter(({ number }) => pidOf.has(String(number)))
  for (const { number } of lostBegun) expect(killed).toContain(pidOf.get(String(number)))
  expect(begun.length).toBe(good.length + lostBegun.length)
  // In flight on a worker with one thread: the one it runs, and what it had finished but not sent,
  // which is a millisecond's worth.
  expect(lost.length).toBeLessThanOrEqual(killed.length * 16)
  // Otherwise nobody was killed in the middle of anything.
  expect(lost.length).toBeGreaterThan(0)

  console.log(
    `${killed.length} workers killed in ${duration / 1000} s: ${sent.length} requests = ` +
      `${good.length} answered 200 + ` +
      `${lost.length} answered 502 (${lostBegun.length} of them recorded as begun, all on ` +
      'killed workers); ' +
      'the slowest answer took ' +
      `${Math.max(...sent.map(({ answer }) => answer.milliseconds)).toFixed(0)} ms`,
  )
}
