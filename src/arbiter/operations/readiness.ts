import type { ArbiterActions } from '../actions.ts'

/** Whether the server has started, and whether it can answer requests now. */
export class Readiness {
  /** It has served. */
  started = false
  readonly #actions: Pick<ArbiterActions, 'state' | 'events'>
  /** Workers that serve, by their process. */
  readonly #workers = new Set<number>()
  /** Acceptors that run the application themselves. */
  readonly #acceptors = new Set<number>()

  constructor(actions: Pick<ArbiterActions, 'state' | 'events'>) {
    this.#actions = actions
    const { events } = actions
    events.serving.subscribe(() => {
      this.started = true
    })
    events.workerReady.subscribe(({ pid }) => this.#workers.add(pid))
    events.workerEnded.subscribe(({ pid }) => this.#workers.delete(pid))
    events.acceptorReady.subscribe(({ pid, workers, loaded }) => {
      if (workers === 0 && loaded) this.#acceptors.add(pid)
    })
    events.acceptorEnded.subscribe(({ pid }) => this.#acceptors.delete(pid))
  }

  /** Why the server is not ready, in a few words; null if it is. */
  get obstacle(): string | null {
    const { state } = this.#actions
    if (state !== 'serving' && state !== 'reloading') return `the server is ${state}`
    if (this.#workers.size === 0 && this.#acceptors.size === 0) return 'no worker serves'
    return null
  }
}
