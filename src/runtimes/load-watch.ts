/**
 * Watches applications that are being loaded: logs where a slow one is, and ends one that takes
 * too long.
 */
import { type Coded, coded } from '../messages/coded.ts'

/** Where an application is while it is being loaded, for the log. */
export interface StackReport {
  /** A stack with a line above it, or a sentence on why there is none. */
  readonly text: string
  readonly isStack: boolean
}

/** One attempt to load the application. */
export interface Load {
  /** What loads it: `Worker 4711`. May change while it is being started. */
  readonly name: string
  /** The process that log entries are about; 0 if it is being started. */
  readonly pid: number
  /** Finds out where it is. Answers within two seconds, and never rejects. */
  reportStack(): Promise<StackReport>
  /** Its time is over. `text` has the reason and what {@link reportStack} gave. */
  giveUp(text: string, isStack: boolean): void
}

export interface LoadWatchOptions {
  /** The reference to it, for the log. */
  readonly application: string
  /** Seconds that an attempt may take; 0 for no limit. */
  readonly timeout: number
  warn(text: Coded, pid: number): void
  /** Its timer does not keep the process from ending. */
  readonly background?: boolean
}

/** The first warning comes after this many seconds, or after half of the time there is. */
const FIRST_WARNING_S = 10
const CHECK_INTERVAL_MS = 100
/**
 * After a tick that is this late, in milliseconds, this process was stopped, and most likely what
 * it watches was too.
 */
const OVERSLEPT_MS = 1000

interface Watched {
  readonly load: Load
  /** How long it has taken, in milliseconds, except for when this process was stopped. */
  spent: number
  /** The time of the next warning, in milliseconds. */
  warnAt: number
  asking: boolean
}

/**
 * When a load is warned of first, in seconds.
 *
 * @example firstWarning(120) // 10
 * @example firstWarning(4) // 2
 * @example firstWarning(0) // 10
 */
export function firstWarning(timeout: number): number {
  return timeout === 0 ? FIRST_WARNING_S : Math.min(FIRST_WARNING_S, timeout / 2)
}

/**
 * The watch over all attempts of one pool or one set of acceptors. Workers that load the same
 * application are often at the same place, so a stack is logged once, and later only named.
 */
export class LoadWatch {
  readonly #options: LoadWatchOptions
  readonly #watched = new Set<Watched>()
  #ticks: NodeJS.Timeout | null = null
  #tickedAt = 0
  /** The last stack that was logged, and whose it was. */
  #shown = { text: '', name: '' }

  constructor(options: LoadWatchOptions) {
    this.#options = options
  }

  /** An attempt begins. Returns the function to call when it ends, in whatever way. */
  begin(load: Load): () => void {
    const watched: Watched = {
      load,
      spent: 0,
      warnAt: firstWarning(this.#options.timeout) * 1000,
      asking: false,
    }
    this.#watched.add(watched)
    this.#keepTicking()
    return () => this.#end(watched)
  }

  #end(watched: Watched): void {
    this.#watched.delete(watched)
    if (this.#watched.size > 0 || this.#ticks === null) return
    clearInterval(this.#ticks)
    this.#ticks = null
  }

  #keepTicking(): void {
    if (this.#ticks !== null) return
    this.#tickedAt = performance.now()
    this.#ticks = setInterval(() => this.#tick(), CHECK_INTERVAL_MS)
    if (this.#options.background === true) this.#ticks.unref()
  }

  #tick(): void {
    const now = performance.now()
    const elapsed = now - this.#tickedAt
    this.#tickedAt = now
    const limit = this.#options.timeout * 1000
    for (const watched of this.#watched) {
      watched.spent += elapsed > OVERSLEPT_MS ? 0 : elapsed
      if (watched.asking) continue
      if (limit > 0 && watched.spent >= limit) void this.#giveUp(watched)
      else if (watched.spent >= watched.warnAt) void this.#warn(watched)
    }
  }

  async #warn(watched: Watched): Promise<void> {
    const { load } = watched
    const { application, timeout } = this.#options
    const after = watched.warnAt
    watched.warnAt *= 2
    const report = await this.#ask(watched)
    if (report === null) return
    const limit =
      timeout === 0 ? '' : ` (it is abandoned after ${seconds(timeout * 1000)}, load_timeout)`
    const head = `${load.name} is still loading ${application} after ${seconds(after)}${limit}`
    this.#options.warn(coded('MONO2021', `${head}${this.#place(load, report)}`), load.pid)
  }

  /** Where it is, as the rest of a sentence. */
  #place({ name }: Load, { text, isStack }: StackReport): string {
    if (!isStack) return `. ${text}`
    const shown = this.#shown
    if (shown.text === text)
      return `, at the same place as ${shown.name === name ? 'before' : shown.name}`
    this.#shown = { text, name }
    return `. ${text}`
  }

  async #giveUp(watched: Watched): Promise<void> {
    const { application, timeout } = this.#options
    const report = await this.#ask(watched)
    if (report === null) return
    this.#end(watched)
    const limit = `${seconds(timeout * 1000)} (load_timeout)`
    const text = `${application} could not be loaded within ${limit}. ${report.text}`
    watched.load.giveUp(text, report.isStack)
  }

  /** Null if the attempt ended in the meantime. */
  async #ask(watched: Watched): Promise<StackReport | null> {
    watched.asking = true
    const report = await watched.load.reportStack()
    watched.asking = false
    return this.#watched.has(watched) ? report : null
  }
}

/** @example seconds(2500) // '2.5 s' */
function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
