import { coded, splitCode } from '../../messages/coded.ts'
import type { SlowRequest } from '../../observe/server-state.ts'
import type { Assignment } from './assignment.ts'
import { WARNING } from './log-levels.ts'
import type { PoolLog } from './pool-log.ts'
import { withoutQuery } from './pool-state.ts'
import type { Worker } from './worker.ts'

/** How many stacks are asked for within {@link WINDOW_MS} ms; further ones are counted. */
const MOST_STACKS = 10
const WINDOW_MS = 5000
/** How many are kept for whoever asks the running server. */
const KEPT = 20
/** How much of a stack is kept, in characters. */
const STACK_LIMIT = 8192
/** What stands before the stack in the entry that a worker logs. */
const BEFORE_STACK = / has run for [\d.]+ s \(slow_request\)\. /

/** What of a {@link Worker} is looked at. */
type Watched = Pick<Worker, 'atWork' | 'logStack' | 'pid'>

/**
 * Has the stack logged of each request that its application has worked on for longer than
 * `slow_request`, once, while it goes on. There is none of this if that is 0.
 */
export class SlowRequests {
  readonly #limitMs: number
  readonly #log: PoolLog
  /** Those that are at work, and since when; -1 if their stack was asked for. */
  #since = new Map<Assignment, number>()
  /** The newest whose stacks were asked for, oldest first. */
  readonly #recent: { shown: SlowRequest; readonly stream: number }[] = []
  #windowEnds = 0
  #asked = 0
  #leftOut = 0

  /** @param seconds `slow_request` */
  constructor(seconds: number, log: PoolLog) {
    this.#limitMs = seconds * 1000
    this.#log = log
  }

  /** The newest whose stacks were asked for, oldest first. */
  get recent(): readonly SlowRequest[] {
    return this.#recent.map(({ shown }) => shown)
  }

  /** Finds the stack in an entry that a worker has logged, if there is one. */
  logged(pid: number, stream: number, entry: string): void {
    const text = splitCode(entry)?.text ?? entry
    const before = BEFORE_STACK.exec(text)
    if (before === null) return
    const kept = this.#recent.find(
      (each) => each.stream === stream && each.shown.worker === pid && each.shown.stack === null,
    )
    if (kept === undefined) return
    const stack = text.slice(before.index + before[0].length)
    const cut = stack.length > STACK_LIMIT ? `${stack.slice(0, STACK_LIMIT)} …` : stack
    kept.shown = { ...kept.shown, stack: cut }
  }

  /** Call it several times a second while there are requests. */
  look(workers: Iterable<Watched>): void {
    const now = performance.now()
    if (now >= this.#windowEnds) this.#nextWindow(now)
    const since = new Map<Assignment, number>()
    for (const worker of workers) {
      for (const assignment of worker.atWork()) {
        let begun = this.#since.get(assignment) ?? now
        if (begun >= 0 && now - begun >= this.#limitMs) {
          this.#show(worker, assignment, now - begun)
          begun = -1
        }
        since.set(assignment, begun)
      }
    }
    this.#since = since
  }

  #show(worker: Watched, assignment: Assignment, ms: number): void {
    if (this.#asked >= MOST_STACKS) this.#leftOut++
    else {
      this.#asked++
      this.#keep(worker.pid, assignment, ms / 1000)
      worker.logStack(assignment, ms / 1000)
    }
  }

  #keep(worker: number, { task, stream }: Assignment, seconds: number): void {
    const request = withoutQuery(task.describe())
    const shown = { at: Date.now(), request, seconds, worker, stack: null }
    if (this.#recent.push({ shown, stream }) > KEPT) this.#recent.shift()
  }

  #nextWindow(now: number): void {
    if (this.#leftOut > 0)
      this.#log.log(
        WARNING,
        coded(
          'MONO4010',
          `${this.#leftOut} more requests have run for ${this.#limitMs / 1000} s (slow_request); ` +
            'their stacks are left out',
        ),
      )
    this.#windowEnds = now + WINDOW_MS
    this.#asked = 0
    this.#leftOut = 0
  }
}
