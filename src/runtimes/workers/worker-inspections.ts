import type { Span } from '../../bytes/span.ts'
import { FrameError } from './frames.ts'
import { readFindings } from './payloads.ts'

/** What a worker is asked by INSPECT, apart from its number; see `docs/reference/frames.md`. */
export type InspectionQuestion =
  | {
      readonly what: 'profile'
      readonly seconds: number
      readonly hertz: number
      /** Whether V8's own profile is wanted too; workers of Python have none. */
      readonly raw: boolean
    }
  | { readonly what: 'memory'; readonly seconds: number; readonly top: number }

/** The answer: an object with what was asked for, or with an `error`. */
export type Findings = Readonly<Record<string, unknown>>

/** What one worker has answered. */
export interface WorkerFindings {
  readonly pid: number
  readonly findings: Findings
}

/** How long after its time a worker may take to answer, in milliseconds. */
const LATE_MS = 10_000

/** The questions to one worker that it has not answered. */
export class WorkerInspections {
  readonly #asked = new Map<number, (findings: Findings) => void>()
  #last = 0

  /**
   * @param begin asks the worker; returns why that is not possible, or null
   * @returns what the worker has found, or `error`; it never rejects
   */
  ask(question: InspectionQuestion, begin: (id: number) => string | null): Promise<Findings> {
    this.#last = (this.#last + 1) >>> 0
    const id = this.#last
    return new Promise((resolve) => {
      const ms = question.seconds * 1000 + LATE_MS
      const late = () => this.#answer(id, { error: 'it did not answer in time' })
      const timer = setTimeout(late, ms).unref()
      this.#asked.set(id, (findings) => {
        clearTimeout(timer)
        resolve(findings)
      })
      const error = begin(id)
      if (error !== null) this.#answer(id, { error })
    })
  }

  /** Whether the worker has not answered it. */
  awaits(id: number): boolean {
    return this.#asked.has(id)
  }

  /** @throws FrameError */
  received(payload: Span): void {
    const { id, ...findings } = readFindings(payload)
    if (typeof id !== 'number' || id > this.#last)
      throw new FrameError('FINDINGS that nobody has asked for')
    this.#answer(id, findings)
  }

  #answer(id: number, findings: Findings): void {
    this.#asked.get(id)?.(findings)
    this.#asked.delete(id)
  }

  /** The worker is gone. */
  end(reason: string): void {
    for (const id of this.#asked.keys()) this.#answer(id, { error: reason })
  }
}
