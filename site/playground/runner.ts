import type { FromWorker, Run, RunResult, ToWorker } from './protocol.ts'
import { LANGUAGE_NAMES } from './protocol.ts'
import type { Language } from './steps/types.ts'

/** How long a run may take, in milliseconds. */
export const RUN_LIMIT = 10_000

/** A run that was ended before it had a result. */
export class StoppedError extends Error {
  readonly code = 'stopped'
}

/** What a runner is doing. */
export type RunnerState =
  | { readonly is: 'off' }
  | { readonly is: 'starting' }
  | { readonly is: 'ready'; readonly milliseconds: number; readonly version: string }
  | { readonly is: 'broken'; readonly reason: string }

interface Waiting {
  readonly resolve: (result: RunResult) => void
  readonly reject: (error: Error) => void
  timer: ReturnType<typeof setTimeout> | null
  readonly run: Run
}

/**
 * Runs programs of one language in a worker, one after another. All steps of a page share it,
 * because an interpreter takes seconds to start and much memory.
 */
export class Runner {
  readonly #language: Language
  readonly #files: string
  #worker: Worker | null = null
  #state: RunnerState = { is: 'off' }
  #calls = 0
  readonly #waiting = new Map<number, Waiting>()
  readonly #watchers = new Set<(state: RunnerState) => void>()

  constructor(language: Language, files: string) {
    this.#language = language
    this.#files = files
  }

  get state(): RunnerState {
    return this.#state
  }

  /** Calls `watcher` now and at each change, until what it returns is called. */
  watch(watcher: (state: RunnerState) => void): () => void {
    this.#watchers.add(watcher)
    watcher(this.#state)
    return () => this.#watchers.delete(watcher)
  }

  /** Starts the worker, if it is not there. */
  start(): void {
    if (this.#worker !== null) return
    const url = new URL(`${this.#language}-worker.js`, this.#files)
    const worker = new Worker(url, { type: 'module', name: `tutorial ${this.#language}` })
    this.#worker = worker
    this.#change({ is: 'starting' })
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(worker, data)
    worker.onerror = (event) => this.#broken(event.message || 'its script could not be loaded')
  }

  /**
   * Runs a program. The time for it begins when the interpreter is there.
   *
   * @throws StoppedError if it was stopped, took too long, or broke the interpreter
   */
  run(run: Run): Promise<RunResult> {
    this.start()
    this.#calls += 1
    const id = this.#calls
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { resolve, reject, timer: null, run }
      this.#waiting.set(id, waiting)
      this.#send({ type: 'run', id, run })
      if (this.#state.is === 'ready') this.#startTimer(waiting)
    })
  }

  /** Ends what runs, and the interpreter with it; a new one is started. */
  stop(reason: string): void {
    const restart = this.#worker !== null
    this.#end()
    this.#rejectAll(reason)
    if (restart) this.start()
  }

  #receive(worker: Worker, message: FromWorker): void {
    if (worker !== this.#worker) return
    if (message.type === 'ready') {
      this.#change({ is: 'ready', milliseconds: message.milliseconds, version: message.version })
      for (const waiting of this.#waiting.values()) this.#startTimer(waiting)
    } else if (message.type === 'broken') {
      this.#broken(message.reason)
    } else if (message.type === 'result') {
      const waiting = this.#waiting.get(message.id)
      if (waiting === undefined) return
      this.#waiting.delete(message.id)
      if (waiting.timer !== null) clearTimeout(waiting.timer)
      waiting.resolve(message.result)
    } else {
      this.#askPython(message.call, message.run)
    }
  }

  /** A `pythonApp` in TypeScript: its time is that of Python, which may have to start. */
  #askPython(call: number, run: Run): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.timer !== null) clearTimeout(waiting.timer)
      waiting.timer = null
    }
    runnerFor('python', this.#files)
      .run(run)
      .then(
        (result) => this.#send({ type: 'answer', call, result }),
        (error: Error) => this.#send({ type: 'answer', call, result: error.message }),
      )
      .finally(() => {
        for (const waiting of this.#waiting.values()) this.#startTimer(waiting)
      })
  }

  #startTimer(waiting: Waiting): void {
    if (waiting.timer !== null) clearTimeout(waiting.timer)
    waiting.timer = setTimeout(() => {
      this.stop(`It did not end within ${RUN_LIMIT / 1000} seconds and was stopped`)
    }, RUN_LIMIT)
  }

  #broken(reason: string): void {
    const wasReady = this.#state.is === 'ready'
    this.#end()
    this.#change({ is: 'broken', reason })
    this.#rejectAll(`${LANGUAGE_NAMES[this.#language]} broke down (${reason})`)
    // A program can break an interpreter that had started. One that cannot start is left alone.
    if (wasReady) this.start()
  }

  #rejectAll(reason: string): void {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    const again = `${LANGUAGE_NAMES[this.#language]} is started anew`
    for (const { reject, timer } of all) {
      if (timer !== null) clearTimeout(timer)
      reject(new StoppedError(`${reason}. ${again}.`))
    }
  }

  #end(): void {
    this.#worker?.terminate()
    this.#worker = null
    this.#change({ is: 'off' })
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }

  #change(state: RunnerState): void {
    this.#state = state
    for (const watcher of this.#watchers) watcher(state)
  }
}

const runners = new Map<string, Runner>()

/** The runner of a language that all steps of the page share. */
export function runnerFor(language: Language, files: string): Runner {
  const key = `${language} ${files}`
  let runner = runners.get(key)
  if (runner === undefined) {
    runner = new Runner(language, files)
    runners.set(key, runner)
  }
  return runner
}
