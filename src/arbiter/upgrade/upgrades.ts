import { type Coded, coded } from '../../messages/coded.ts'
import type { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { UpgradeResult } from '../actions.ts'
import type { ListeningSocket } from '../listeners.ts'
import { adoptListener } from './adopted-listener.ts'
import type { Inheritance } from './inheritance.ts'
import { Predecessor } from './predecessor.ts'
import type { StartCommand } from './start-command.ts'
import { Successor } from './successor.ts'

export interface UpgradesOptions {
  /** This server's process. */
  readonly pid: number
  /** How this process was started. */
  readonly command: StartCommand
  /** What it got from the server that it is to replace; null if a user started it. */
  readonly inheritance: Inheritance | null
  readonly events: ArbiterEvents
  readonly log: {
    info(text: string): void
    warning(text: Coded): void
    error(text: Coded): void
  }
}

/**
 * The servers before and after this one that share its sockets: at most one of the two at a time.
 */
export class Upgrades {
  readonly #options: UpgradesOptions
  readonly #predecessor: Predecessor | null
  #successor: Successor | null = null
  #preparing = false

  constructor(options: UpgradesOptions) {
    this.#options = options
    this.#predecessor = options.inheritance && new Predecessor(options.inheritance)
  }

  /** The server that this one was started to replace, as long as it is there. */
  get predecessor(): number | null {
    return this.#predecessor?.isAlive ? this.#predecessor.pid : null
  }

  /** Another server accepts from the same sockets, or will. */
  get sharesSockets(): boolean {
    return this.predecessor !== null || this.#successor?.isAlive === true
  }

  /** The sockets of the old server. */
  adopt(): ListeningSocket[] {
    return this.#predecessor?.listeners.map(adoptListener) ?? []
  }

  /** This server serves. */
  serves(): void {
    this.#predecessor?.tellServing()
  }

  /** Calls back once, when the old server has ended; never if there was none. */
  whenPromoted(promoted: (before: number) => void): void {
    if (this.#predecessor === null) return
    const { log, events } = this.#options
    const { pid, gone } = this.#predecessor
    void gone.then(() => {
      log.info(`The old server (${pid}) has ended; this one has taken over`)
      promoted(pid)
      events.upgrade.publish({ phase: 'promoted', pid })
    })
  }

  /**
   * Starts the server after. Resolves when it serves or has ended.
   *
   * @param prepare is waited for before; if it throws, no server is started
   */
  async start(
    cause: string,
    listeners: readonly ListeningSocket[],
    prepare: () => Promise<void>,
  ): Promise<UpgradeResult> {
    const { log } = this.#options
    const obstacle = this.#obstacle()
    if (obstacle !== null) {
      log.warning(coded('MONO5301', `${cause}: not starting another server. ${obstacle}`))
      return { upgraded: false, reason: obstacle }
    }
    this.#preparing = true
    try {
      await prepare()
      log.info(`${cause}: starting a new server on the same sockets`)
      this.#successor = new Successor(this.#options.command, listeners)
    } catch (error) {
      return this.#failed(error instanceof Error ? error.message : String(error))
    } finally {
      this.#preparing = false
    }
    return await this.#follow(this.#successor)
  }

  #obstacle(): string | null {
    if (this.#preparing) return 'Another one is about to be started'
    if (this.#successor?.isAlive) return `The new server (${this.#successor.pid}) is there already`
    if (this.predecessor !== null)
      return `The old server (${this.predecessor}) still runs: stop it first`
    return null
  }

  async #follow(successor: Successor): Promise<UpgradeResult> {
    const { log, events, pid: own } = this.#options
    const { pid } = successor
    if (pid !== 0) events.upgrade.publish({ phase: 'begun', pid })
    const ended = successor.ended.then((how) => this.#ended(successor, how))
    const serving = successor.serving.then((): UpgradeResult => {
      log.info(
        `The new server (${pid}) serves too. Send TERM to ${own}, this server, to finish, ` +
          `or to ${pid} to go back`,
      )
      events.upgrade.publish({ phase: 'serving', pid })
      return { upgraded: true, pid }
    })
    return await Promise.race([ended, serving])
  }

  #ended(successor: Successor, how: string): UpgradeResult {
    const { pid, isServing } = successor
    if (this.#successor === successor) this.#successor = null
    successor.release()
    const what = pid === 0 ? `The new server ${how}` : `The new server (${pid}) ${how}`
    if (pid !== 0) this.#options.events.upgrade.publish({ phase: 'ended', pid, reason: what })
    if (!isServing) return this.#failed(pid === 0 ? what : `${what} before it served`)
    this.#options.log.warning(coded('MONO5302', `${what}; this one serves on`))
    return { upgraded: false, reason: what }
  }

  #failed(reason: string): UpgradeResult {
    this.#options.log.error(coded('MONO5302', `Upgrade failed; this server goes on. ${reason}`))
    return { upgraded: false, reason }
  }

  /**
   * This server has ended. The end of the process tells the one after it. Earlier would be too
   * early: signals that are meant for the server, as in a container, still reach this process.
   */
  end(): void {
    this.#successor?.unref()
    this.#predecessor?.release()
  }
}
