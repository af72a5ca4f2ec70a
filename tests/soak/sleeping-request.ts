import { monitorEventLoopDelay } from 'node:perf_hooks'
import { expect } from 'vitest'
import { startEndurance } from '../support/endurance-application.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { get } from '../support/plain-application.ts'
import { quantile } from '../support/quantile.ts'
import { type Sent, startStream, streamFor } from '../support/steady-stream.ts'
import { waitFor } from '../support/wait-for.ts'

const burstSize = 64

/**
 * Two workers, one thread each, a stream of fast requests. Then one request sleeps, in the midst of
 * a burst, so that some of that is handed to the same worker before anybody can know. Says who ran
 * what.
 *
 * @param seconds How long each of the sleeping requests sleeps; they come one after another. It is
 * to be enough for the other worker to begin the whole burst.
 * @param timed Whether the clock counts too, as on a machine that has nothing else to do.
 */
export async function sleepingRequests(seconds: number[], timed = false): Promise<void> {
  const server = await startEndurance([
    '--workers',
    '2',
    '--keep-alive',
    '60',
    '--log-level',
    'debug',
  ])
  const burst = await Promise.all(
    Array.from({ length: burstSize }, () => KeepAliveClient.open(server)),
  )
  const sleeper = await KeepAliveClient.open(server)
  await Promise.all(burst.map((client) => client.request(get('/'))))

  const stream = { clients: 4, pause: 1 }
  const alone = await streamFor(server, 1_000, {
    ...stream,
    request: (n) => get(`/begin?id=alone${n}`),
  })
  expect(alone.faults).toEqual([])
  const baseline = waits(alone.sent)
  let givenBack = 0

  // Some more when nothing had been queued behind the sleepers, for then nothing was shown.
  for (
    let round = 0;
    round < seconds.length || (givenBack === 0 && round < seconds.length + 10);
    round++
  ) {
    const duration = seconds[round] ?? seconds.at(-1)!
    const logged = server.log().length
    const ownDelay = monitorEventLoopDelay({ resolution: 5 })
    ownDelay.enable()
    const name = (kind: string, n: number | string) => `round${round}-${kind}${n}`
    const running = await startStream(server, {
      ...stream,
      request: (n) => get(`/begin?id=${name('stream', n)}`),
    })
    await waitFor('the stream to flow', () => running.report.sent.length > 50)

    // In one go, with the sleeper not the first of them: both workers have something to do by then.
    const requests = burst.map((_, n) => get(`/begin?id=${name('burst', n)}`))
    const sleeperRequest = get(`/begin?id=${name('sleeper', '')}&ms=${duration * 1000}`)
    const sentAt = performance.now()
    const early = burst.slice(0, 16).map((client, n) => client.request(requests[n] ?? ''))
    const sleeping = sleeper.request(sleeperRequest)
    const later = burst.slice(16).map((client, n) => client.request(requests[16 + n] ?? ''))
    const hurried = (await Promise.all([...early, ...later])).map((answer, number) => ({
      number,
      sentAt,
      answer,
    }))
    const slept = await sleeping
    const wokenAt = performance.now()
    ownDelay.disable()
    const sleepingPid = Number(slept.body.split(' ')[1])
    await waitFor('the worker that slept to run something again', () =>
      running.report.sent.some(
        ({ sentAt, answer }) => sentAt > wokenAt && answer.body.includes(` ${sleepingPid} `),
      ),
    )
    const { sent, faults } = await running.stop()
    expect(faults).toEqual([])

    // Who ran what. While one slept the other ran everything, and all of the burst had begun before
    // it woke.
    const events = server.events().filter(({ id }) => id.startsWith(`round${round}-`))
    const from = events.findIndex(({ id, what }) => what === 'begin' && id === name('sleeper', ''))
    const to = events.findIndex(({ id, what }) => what === 'done' && id === name('sleeper', ''))
    expect(from).toBeGreaterThanOrEqual(0)
    const meanwhile = events.slice(from + 1, to)
    expect(meanwhile.filter(({ pid }) => pid === sleepingPid)).toEqual([])
    const burstBegun = events.flatMap(({ what, id }, at) =>
      what === 'begin' && id.includes('-burst') ? [at] : [],
    )
    expect(burstBegun).toHaveLength(burstSize)
    expect(Math.max(...burstBegun)).toBeLessThan(to)

    // Each exactly once, and answered by the worker that ran it.
    const begun = events.filter(({ what }) => what === 'begin')
    expect(new Set(begun.map(({ id }) => id)).size).toBe(begun.length)
    expect(begun.length).toBe(sent.length + burstSize + 1)
    const pidOf = new Map(begun.map(({ id, pid }) => [id, String(pid)]))
    for (const { answer } of [...sent, ...hurried, { answer: slept }]) {
      const [id = '', pid] = answer.body.split(' ')
      expect(answer.status).toBe(200)
      expect(pid).toBe(pidOf.get(id))
    }

    // The clock, if this machine has nothing else to do: 100 ms beyond the median, and what it is
    // late without a sleeper too (then, or now: seen by our own timers).
    const fast = [...sent, ...hurried].filter(({ sentAt }) => sentAt < wokenAt)
    const { middle, slowest } = waits(fast)
    const late = Math.max(baseline.slowest, ownDelay.max / 1e6)
    if (timed) expect(slowest).toBeLessThan(middle + 100 + 2 * late)
    // Written when the sleep began, so they have long arrived.
    const returned = [
      ...server
        .log()
        .slice(logged)
        .matchAll(/Worker (\d+) gave back (\d+) requests/g),
    ]
    const ofSleeper = returned.filter(([, pid]) => Number(pid) === sleepingPid)
    const count = ofSleeper.reduce((sum, [, , number]) => sum + Number(number), 0)
    givenBack += count
    console.log(
      `one request slept ${duration} s: ${meanwhile.length} others ran meanwhile, none on ` +
        `its worker; ${count} were given back; ` +
        `fast requests: median ${middle.toFixed(2)} ms, slowest ${slowest.toFixed(1)} ms ` +
        `(without a sleeper: ${baseline.middle.toFixed(2)} ms, ${baseline.slowest.toFixed(1)} ms)`,
    )
  }
  expect(givenBack).toBeGreaterThan(0)
}

function waits(sent: Sent[]): { middle: number; slowest: number } {
  const all = sent.map(({ answer }) => answer.milliseconds)
  return { middle: quantile(all, 0.5), slowest: Math.max(...all) }
}
