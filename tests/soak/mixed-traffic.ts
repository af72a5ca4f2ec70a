import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type EnduranceServer, startEndurance } from '../support/endurance-application.ts'
import { childrenOf, descendantsOf, residentMemory } from '../support/processes.ts'
import { randomFrom } from '../support/random.ts'
import { mebibytes, resourcesOf } from '../support/resources.ts'
import { waitFor } from '../support/wait-for.ts'
import { numberOfActs, startTraffic, type TrafficReport } from './traffic-mix.ts'

export interface MixedTraffic {
  clients: number
  workers: number
  /**
   * Of how many milliseconds one stretch of traffic is; after each the server is let come to rest,
   * and looked at.
   */
  stretch: number
  /** How many stretches. The first is the warm-up, which the others are compared with. */
  stretches: number
  /**
   * Milliseconds between two killings of a worker, two reloads, two lines of the table; 0 for none.
   */
  killEvery: number
  reloadEvery: number
  sampleEvery: number
  /**
   * Workers that are replaced are compared when they have served for that many milliseconds, to
   * twice as many; 0: they are not.
   */
  workerAge: number
  args: string[]
  /** What resident memory may grow by from the first rest to the last, in bytes. */
  acceptorGrowth: number
  workerGrowth: number
}

const mebibyte = 1024 * 1024

/** What a server at rest holds. */
interface Rest {
  arbiter: number
  acceptor: number
  workers: number[]
  processes: number
  temporaryFiles: number
  /** Open file descriptors by kind: arbiter, acceptor, then each worker. */
  descriptors: Record<string, number>[]
}

/**
 * Traffic of all kinds, with workers that are recycled, killed and reloaded meanwhile; what is held
 * at rest must not grow.
 */
export async function mixedTraffic(options: MixedTraffic): Promise<void> {
  const server = await startEndurance(['--workers', String(options.workers), ...options.args])
  // The acceptor stays the same process all along; its workers come and go.
  const acceptor = server.acceptor()
  const seed = Number(process.env.MONOCEROS_SOAK_SEED ?? Date.now() % 1_000_000)
  console.log(`seed of the traffic: ${seed}`)
  const random = randomFrom(seed)
  const disturbance = new Disturbance(server, options, random)
  const firstSeen = new Map<number, number>()
  const ages: { at: number; age: number; resident: number }[] = []
  const began = performance.now()
  const done = new Map<string, number>()
  let lost = 0
  let requests = 0
  const rests: Rest[] = []

  const lookAtWorkers = () => {
    const at = performance.now()
    for (const pid of childrenOf(acceptor)) {
      if (!firstSeen.has(pid)) firstSeen.set(pid, at)
      ages.push({ at, age: at - (firstSeen.get(pid) ?? at), resident: residentMemory(pid) })
    }
  }
  const row = (what: string) => {
    const now = performance.now()
    const workers = childrenOf(acceptor)
    const { resident, descriptors } = resourcesOf(acceptor)
    const cells = [
      `${((now - began) / 1000).toFixed(0)} s`,
      what,
      mebibytes(residentMemory(server.pid)),
      mebibytes(resident),
      String(Object.values(descriptors).reduce((sum, count) => sum + count, 0)),
      workers.map((pid) => mebibytes(residentMemory(pid)).replace(' MiB', '')).join(' '),
      String(server.temporaryFiles().length),
      String(descendantsOf(server.pid).length + 1),
      `${disturbance.kills.length}`,
      `${disturbance.reloads}`,
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }

  console.log(
    '| time | acts | arbiter | acceptor | its descriptors | workers, MiB | temporary files ' +
      '| processes | kills | reloads |\n' +
      '|---|---|---|---|---|---|---|---|---|---|',
  )
  const total = () => [...done.values()].reduce((sum, count) => sum + count, 0)
  for (let stretch = 0; stretch < options.stretches; stretch++) {
    const traffic = startTraffic(server, options.clients, random)
    disturbance.start()
    const current = () =>
      total() + [...traffic.report.done.values()].reduce((sum, count) => sum + count, 0)
    const sampling = setInterval(() => row(String(current())), options.sampleEvery)
    const looking = setInterval(lookAtWorkers, 500)
    await sleep(options.stretch)
    clearInterval(sampling)
    clearInterval(looking)
    await disturbance.stop()
    const report = await traffic.stop()
    for (const [name, count] of report.done) done.set(name, (done.get(name) ?? 0) + count)
    lost += report.lost.length
    requests += report.requests
    expect(report.faults).toEqual([])
    expectLossesToBeKills(report, disturbance.kills)
    const reference = rests[0]
    const rest = await comeToRest(server, acceptor, options.workers, reference)
    rests.push(rest)
    row(`${total()}, at rest`)
  }

  const [first, last] = [rests[0], rests.at(-1)]
  if (!first || !last) throw new Error('no traffic')
  const names = [...done].map(([name, count]) => `${count} × ${name}`)
  console.log(
    `${total()} acts with ${requests} requests in ` +
      `${((performance.now() - began) / 1000).toFixed(0)} s, ${lost} of them lost with ` +
      `${disturbance.kills.length} killed workers:\n  ${names.join('\n  ')}`,
  )
  // Whatever a client can do was done; with fewer, the rarest may not have had its turn.
  if (total() > 1000) expect(done.size).toBe(numberOfActs)

  expect(server.acceptor()).toBe(acceptor)
  expect(last.processes).toBe(first.processes)
  expect(last.temporaryFiles).toBe(first.temporaryFiles)
  expect(last.descriptors).toEqual(first.descriptors)
  expect(last.arbiter - first.arbiter).toBeLessThan(16 * mebibyte)
  expect(last.acceptor - first.acceptor).toBeLessThan(options.acceptorGrowth)

  if (options.killEvery === 0 && options.reloadEvery === 0) {
    // Nobody replaced them.
    for (const [n, resident] of last.workers.entries()) {
      expect(resident - (first.workers[n] ?? 0)).toBeLessThan(options.workerGrowth)
    }
  } else if (options.workerAge > 0) {
    // They are replaced all the time, so those of like age are compared: of the first half and of
    // the second.
    const half = began + (performance.now() - began) / 2
    const ofAge = ages.filter(({ age }) => age >= options.workerAge && age < 2 * options.workerAge)
    const [early, late] = [
      ofAge.filter(({ at }) => at < half),
      ofAge.filter(({ at }) => at >= half),
    ]
    const mean = (list: typeof ages) =>
      list.reduce((sum, { resident }) => sum + resident, 0) / list.length
    console.log(
      `workers that have served for ${options.workerAge / 1000} to ` +
        `${(2 * options.workerAge) / 1000} s: ` +
        `${mebibytes(mean(early))} in the first half (looked at ${early.length} times), ` +
        `${mebibytes(mean(late))} in the second (${late.length})`,
    )
    expect(early.length).toBeGreaterThan(0)
    expect(late.length).toBeGreaterThan(0)
    expect(mean(late) - mean(early)).toBeLessThan(options.workerGrowth)
  }
}

/** One worker's end; times as of `performance.now()`. */
interface Kill {
  readonly at: number
  /** When its acceptor has told of it: what was given to the worker until then is lost too. */
  noticedAt: number
}

/** Kills a worker now and then, and sends HUP now and then, while traffic flows. */
class Disturbance {
  readonly kills: Kill[] = []
  reloads = 0
  readonly #server: EnduranceServer
  readonly #options: MixedTraffic
  readonly #random: (limit: number) => number
  #timers: NodeJS.Timeout[] = []

  constructor(server: EnduranceServer, options: MixedTraffic, random: (limit: number) => number) {
    this.#server = server
    this.#options = options
    this.#random = random
  }

  start(): void {
    const { killEvery, reloadEvery } = this.#options
    if (killEvery > 0) this.#timers.push(setInterval(() => this.#kill(), killEvery))
    if (reloadEvery > 0) this.#timers.push(setInterval(() => this.#reload(), reloadEvery))
  }

  /** No more; resolves when the reloads that were asked for are done. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    await waitFor(
      'the reloads to be done',
      // A reload whose new worker is the one that is killed fails, and what served before goes on.
      () =>
        (this.#server.log().match(/ (Reloaded|Reload failed; .*)$/gm)?.length ?? 0) >=
        this.#reloadsBegun(),
      30_000,
    )
  }

  #reloadsBegun(): number {
    return this.#server.log().match(/SIGHUP: reloading$/gm)?.length ?? 0
  }

  #kill(): void {
    const workers = childrenOf(this.#server.acceptor())
    const victim = workers[this.#random(workers.length)]
    if (victim === undefined) return
    try {
      process.kill(victim, 'SIGKILL')
    } catch (error) {
      // It has just been recycled; another one will do the next time.
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
      throw error
    }
    const at = performance.now()
    const kill: Kill = { at, noticedAt: at + 2000 }
    this.kills.push(kill)
    const from = this.#server.log().length
    this.#server
      .waitForLog(new RegExp(` Worker ${victim} `), { from, timeout: 30_000 })
      .then(() => {
        kill.noticedAt = performance.now()
      })
      .catch(() => {}) // it had not begun to serve, or was leaving: nothing is said of those
  }

  #reload(): void {
    this.#server.signal('SIGHUP')
    this.reloads++
  }
}

/**
 * Every act that was lost had a worker killed while it was under way, or killed and not missed yet
 * when it began.
 */
function expectLossesToBeKills(report: TrafficReport, kills: readonly Kill[]): void {
  const unexplained = report.lost.filter(
    ({ since, at }) => !kills.some((kill) => kill.noticedAt >= since && kill.at <= at),
  )
  expect(unexplained).toEqual([])
}

/**
 * Waits until there is nothing under way, and says what is held then. `wanted` is what it was the
 * last time.
 */
async function comeToRest(
  server: EnduranceServer,
  acceptor: number,
  workers: number,
  wanted: Rest | undefined,
): Promise<Rest> {
  let last = ''
  let unchanged = 0
  // Idle connections go after keepalive (5 s); an old worker that still had something to finish
  // goes when it has.
  await waitFor(
    'the server to come to rest',
    async () => {
      const now = held(server, acceptor)
      const shown = JSON.stringify([now.descriptors, now.processes, now.temporaryFiles])
      const like =
        wanted && JSON.stringify([wanted.descriptors, wanted.processes, wanted.temporaryFiles])
      unchanged = shown === last ? unchanged + 1 : 0
      last = shown
      // A worker that is still loading looks settled for a moment, and not like the others.
      const [one, ...others] = now.descriptors.slice(2).map((kinds) => JSON.stringify(kinds))
      const settled = now.workers.length === workers && others.every((other) => other === one)
      if (settled && (like === undefined ? unchanged >= 12 : unchanged >= 1 && like === shown))
        return true
      await sleep(250)
      return false
    },
    40_000,
  ).catch((error) => {
    // The comparison at the end shows what differs, unless there is nothing to compare with.
    if (wanted === undefined) throw error
  })
  return held(server, acceptor)
}

function held(server: EnduranceServer, acceptor: number): Rest {
  const workers = childrenOf(acceptor).filter((pid) => descriptorsAre(pid))
  return {
    arbiter: residentMemory(server.pid),
    acceptor: residentMemory(acceptor),
    workers: workers.map(residentMemory),
    processes: descendantsOf(server.pid).length + 1,
    temporaryFiles: server.temporaryFiles().length,
    descriptors: [server.pid, acceptor, ...workers].map((pid) => resourcesOf(pid).descriptors),
  }
}

/** False of a process that has just ended. */
function descriptorsAre(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).length > 0
  } catch {
    return false
  }
}
