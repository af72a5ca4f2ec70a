import type { LastReload, RestartRecord, SlowRequest } from '../../control/protocol.ts'
import type { ArbiterEvents } from '../../observe/arbiter-events.ts'

/** How many restarts are kept. */
const KEPT = 100

/** How many slow requests are kept, and how much of the stack of each, in characters. */
const SLOW_KEPT = 20
const STACK_LIMIT = 8192

/**
 * The newest restarts with their causes, what has blocked event loops, and the last reload. Its
 * memory is bounded.
 */
export class RestartHistory {
  readonly #restarts: RestartRecord[] = []
  readonly #counts: Record<string, number> = {}
  /** Workers that have a replacement and are about to leave. */
  readonly #recycled = new Set<number>()
  readonly #blockedLoops: SlowRequest[] = []
  #reload: LastReload | null = null

  constructor(events: ArbiterEvents) {
    events.workerRecycled.subscribe(({ pid, reason }) => {
      this.#recycled.add(pid)
      this.#add({ at: Date.now(), kind: 'worker', pid, cause: 'recycled', reason })
    })
    events.workerEnded.subscribe(({ pid, cause, reason }) => {
      if (this.#recycled.delete(pid) || cause === 'stopped') return
      this.#add({ at: Date.now(), kind: 'worker', pid, cause, reason })
    })
    events.acceptorEnded.subscribe(({ pid, expected, reason }) => {
      if (!expected) this.#add({ at: Date.now(), kind: 'acceptor', pid, cause: 'crashed', reason })
    })
    events.loopBlocked.subscribe(({ pid, seconds, stack }) => {
      const cut = stack.slice(0, STACK_LIMIT)
      const blocked = { at: Date.now(), request: null, seconds, worker: pid, stack: cut }
      if (this.#blockedLoops.push(blocked) > SLOW_KEPT) this.#blockedLoops.shift()
    })
    events.reload.subscribe((event) => {
      if (event.phase === 'begun') {
        const { cause } = event
        const begunAt = Date.now()
        this.#reload = { begunAt, result: 'in-progress', cause, seconds: null, reason: null }
        return
      }
      const reason = event.phase === 'failed' ? event.reason : null
      // With `--reload`, the first load may fail without a reload.
      const { begunAt, cause } = this.#reload ?? { begunAt: Date.now(), cause: 'start' }
      const seconds = (Date.now() - begunAt) / 1000
      this.#reload = { begunAt, result: event.phase, cause, seconds, reason }
    })
  }

  /** Oldest first. */
  get restarts(): readonly RestartRecord[] {
    return this.#restarts
  }

  /** How many there were, by cause. */
  get counts(): Readonly<Record<string, number>> {
    return this.#counts
  }

  /** Of applications in TypeScript, oldest first. */
  get blockedLoops(): readonly SlowRequest[] {
    return this.#blockedLoops
  }

  get lastReload(): LastReload | null {
    return this.#reload
  }

  #add(record: RestartRecord): void {
    this.#counts[record.cause] = (this.#counts[record.cause] ?? 0) + 1
    if (this.#restarts.push(record) > KEPT) this.#restarts.shift()
  }
}
