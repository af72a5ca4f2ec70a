import { Counts, Histogram } from '../../metrics/counted.ts'
import { LOAD_SECONDS } from '../../metrics/metric-table.ts'
import { type Series, type Snapshot, Sums } from '../../metrics/snapshot.ts'
import type { RecycleCause } from '../../observe/worker-events.ts'
import { runtimeOf } from '../../settings/runtime.ts'
import type { Settings } from '../../settings/table.ts'
import { version } from '../../settings/version.ts'
import type { ArbiterActions } from '../actions.ts'
import { AcceptorCounts } from './acceptor-counts.ts'
import { ProcessMetrics } from './process-metrics.ts'
import type { Readiness } from './readiness.ts'

/** How long an acceptor has to answer, in milliseconds. */
const ANSWER_MS = 1000

/** All metrics of a server: what the arbiter counts, and what its acceptors tell. */
export class CollectedMetrics {
  readonly #actions: ArbiterActions
  readonly #readiness: Readiness
  readonly #startedAt = Math.round(performance.timeOrigin) / 1000
  readonly #acceptors: AcceptorCounts
  readonly #reloads = new Counts(['done', 'failed', 'abandoned'])
  readonly #acceptorEnds = new Counts(['stopped', 'crashed'])
  readonly #loads = new Histogram(LOAD_SECONDS)
  readonly #processes: ProcessMetrics
  readonly #workerEnds = new Counts([
    'crashed',
    'timed-out',
    'load-failed',
    'acceptor-ended',
    'stopped',
    'max-requests',
    'max-memory',
    'max-lifetime',
    'exhausted',
  ])
  /** Workers that a limit has replaced and that have not ended. */
  readonly #recycled = new Map<number, Exclude<RecycleCause, 'told'>>()
  #workerStarts = 0
  #workersWanted: number
  #lastReloadFailed = false
  #settings: Settings

  constructor(actions: ArbiterActions, readiness: Readiness, settings: Settings) {
    this.#actions = actions
    this.#readiness = readiness
    this.#settings = settings
    this.#workersWanted = settings.workers
    this.#processes = new ProcessMetrics(actions.events)
    this.#acceptors = new AcceptorCounts((pid) => this.#processes.slots.acceptor.take(pid))
    this.#subscribe()
  }

  use(settings: Settings): void {
    this.#settings = settings
  }

  /** The values of this moment. Asks the acceptors, and waits for a second at most. */
  async collect(): Promise<Snapshot> {
    const answers = await this.#actions.ask('metrics', null, ANSWER_MS)
    const sums = new Sums()
    const states = { answering: 0, starting: 0, silent: 0 }
    for (const { pid, answer } of answers) {
      if (answer !== null) {
        states.answering++
        sums.add(this.#acceptors.told(pid, answer))
      } else if (this.#acceptors.serves(pid)) {
        states.silent++
      } else states.starting++
    }
    const answered = new Set(answers.filter(({ answer }) => answer !== null).map(({ pid }) => pid))
    this.#acceptors.addOthers(sums, answered)
    sums.add({ ...this.#own(), monoceros_acceptors: byLabel(states) })
    return sums.snapshot()
  }

  #own(): Snapshot {
    const { wsgiApp } = this.#settings
    const runtime = runtimeOf(this.#settings)
    return {
      monoceros_info: [{ labels: [version, process.versions.node, runtime, wsgiApp], value: 1 }],
      monoceros_start_time_seconds: single(this.#startedAt),
      monoceros_ready: single(this.#readiness.obstacle === null ? 1 : 0),
      monoceros_reloads_total: this.#reloads.series(),
      monoceros_last_reload_failed: single(this.#lastReloadFailed ? 1 : 0),
      monoceros_acceptor_ends_total: this.#acceptorEnds.series(),
      monoceros_workers_wanted: single(this.#workersWanted),
      monoceros_worker_starts_total: single(this.#workerStarts),
      monoceros_worker_ends_total: this.#workerEnds.series(),
      ...this.#processes.snapshot(),
      monoceros_worker_load_seconds: [{ labels: [], value: this.#loads.value() }],
    }
  }

  #subscribe(): void {
    const { events } = this.#actions
    events.acceptorStarted.subscribe(({ pid }) => this.#acceptors.started(pid))
    events.acceptorReady.subscribe(({ pid }) => this.#acceptors.ready(pid))
    events.acceptorCounted.subscribe(({ pid, snapshot }) =>
      this.#acceptors.told(pid, snapshot as Snapshot),
    )
    events.acceptorEnded.subscribe(({ pid, expected }) => {
      this.#acceptors.ended(pid)
      this.#acceptorEnds.add(expected ? 'stopped' : 'crashed')
    })
    events.reload.subscribe(({ phase }) => {
      if (phase === 'begun') return
      this.#reloads.add(phase)
      if (phase !== 'abandoned') this.#lastReloadFailed = phase === 'failed'
    })
    events.workersChanged.subscribe(({ workers }) => {
      this.#workersWanted = workers
    })
    events.workerStarted.subscribe(() => this.#workerStarts++)
    events.workerReady.subscribe(({ seconds }) => this.#loads.observe(seconds))
    events.workerRecycled.subscribe(({ pid, cause }) => {
      if (cause !== 'told') this.#recycled.set(pid, cause)
    })
    events.workerEnded.subscribe(({ pid, cause }) => {
      const recycled = cause === 'stopped' ? this.#recycled.get(pid) : undefined
      this.#recycled.delete(pid)
      this.#workerEnds.add(recycled ?? cause)
    })
  }
}

function single(value: number): Series[] {
  return [{ labels: [], value }]
}

function byLabel(values: Readonly<Record<string, number>>): Series[] {
  return Object.entries(values).map(([label, value]) => ({ labels: [label], value }))
}
