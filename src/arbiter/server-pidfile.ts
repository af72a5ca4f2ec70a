import type { Coded } from '../messages/coded.ts'
import { Pidfile, PidfileError } from './pidfile.ts'

export interface ServerPidfileOptions {
  readonly pid: number
  /** The old server, as long as that is there: the file is beside its own. */
  predecessor(): number | null
  readonly log: { error(text: Coded): void }
}

/** The pid file of a server, whose place the settings decide on. */
export class ServerPidfile {
  readonly #options: ServerPidfileOptions
  #file: Pidfile | null = null

  constructor(options: ServerPidfileOptions) {
    this.#options = options
  }

  /**
   * Writes it for the first time.
   *
   * @throws PidfileError
   */
  write(path: string | null): void {
    if (path === null) return
    const { pid, predecessor } = this.#options
    this.#file = new Pidfile(predecessor() === null ? path : `${path}.2`, pid)
  }

  /**
   * Moves it to where the settings want it, as soon as it may be there. A failure is logged.
   *
   * @param replaced the old server, which is gone by now
   */
  moveTo(path: string | null, replaced: number | null = null): void {
    const { pid, predecessor, log } = this.#options
    if (predecessor() !== null) return
    try {
      if (path === null) this.#file?.remove()
      else if (this.#file === null) this.#file = new Pidfile(path, pid, replaced)
      else this.#file.move(path, replaced)
      if (path === null) this.#file = null
    } catch (error) {
      if (!(error instanceof PidfileError)) throw error
      log.error(error.message)
    }
  }

  remove(): void {
    this.#file?.remove()
  }
}
