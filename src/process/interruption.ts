import { EXIT } from './exit-status.ts'

const STATUSES = {
  SIGINT: EXIT.install.INTERRUPTED,
  SIGTERM: EXIT.install.TERMINATED,
  SIGHUP: EXIT.install.HANGUP,
} as const

/** The signals that interrupt an installation or a download. Until `end`, they do nothing else. */
export class Interruption {
  /** The exit status of the signal that arrived first; 0 if none did. */
  exitStatus = 0
  readonly #listeners: (() => void)[] = []
  readonly #handlers = new Map<NodeJS.Signals, () => void>()

  constructor() {
    for (const [name, code] of Object.entries(STATUSES) as [keyof typeof STATUSES, number][]) {
      const handler = () => {
        this.exitStatus ||= code
        for (const listener of this.#listeners) listener()
      }
      this.#handlers.set(name, handler)
      process.on(name, handler)
    }
  }

  /** Calls a listener at the first signal, or immediately if one has arrived already. */
  onSignal(listener: () => void): void {
    if (this.exitStatus !== 0) listener()
    else this.#listeners.push(listener)
  }

  /** Gives the signals their usual effect again. */
  end(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }
}
