/** The Monoceros that is to take over from this one. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { type Deferred, defer } from '../deferred.ts'
import type { ListeningSocket } from '../listeners.ts'
import { UPGRADE_VARIABLE, writeInheritance } from './inheritance.ts'
import type { StartCommand } from './start-command.ts'

/** The first descriptor after the standard streams. */
const CHANNEL_FD = 3
const FIRST_LISTENER_FD = 4

/**
 * Starts the command of this process again, with its listening sockets.
 *
 * It stays in this process group and session, as a fork would: a Ctrl-C in the terminal reaches
 * both. It inherits nothing else of this process, and does not end with it.
 */
export class Successor {
  /** 0 if the process could not be started. */
  readonly pid: number
  /** Resolves when it serves; never if it ends before. */
  readonly serving: Promise<void>
  /** Resolves with the way in which it ended: `exited with status 3`. */
  readonly ended: Promise<string>
  readonly #channel: Socket | null
  readonly #serving: Deferred<void> = defer()
  #isServing = false
  #isAlive: boolean

  constructor(command: StartCommand, listeners: readonly ListeningSocket[]) {
    const child = spawn(command.program, command.args, {
      cwd: command.cwd,
      env: { ...command.env, [UPGRADE_VARIABLE]: inheritance(listeners) },
      stdio: ['inherit', 'inherit', 'inherit', 'pipe', ...listeners.map(({ fd }) => fd)],
    })
    this.pid = child.pid ?? 0
    this.#isAlive = this.pid !== 0
    this.serving = this.#serving.promise
    this.#channel = (child.stdio[CHANNEL_FD] as Socket | null | undefined) ?? null
    this.ended = endOf(child).then((how) => {
      this.#isAlive = false
      return how
    })
    this.#channel?.on('error', () => {})
    this.#channel?.setEncoding('utf8').on('data', (text: string) => this.#receive(text))
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  /** It has said that it serves. */
  get isServing(): boolean {
    return this.#isServing
  }

  /** Ends the channel to a server that has ended. */
  release(): void {
    this.#channel?.destroy()
  }

  /** Lets this process end, which tells the other server that it is gone. */
  unref(): void {
    this.#channel?.unref()
  }

  #receive(text: string): void {
    if (!/^serving\b/m.test(text)) return
    this.#isServing = true
    this.#serving.resolve()
  }
}

function inheritance(listeners: readonly ListeningSocket[]): string {
  return writeInheritance({
    pid: process.pid,
    channel: CHANNEL_FD,
    listeners: listeners.map(({ requested, address, tls, redirects }, index) => ({
      fd: FIRST_LISTENER_FD + index,
      requested,
      address,
      tls,
      redirects,
    })),
  })
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `exited with status ${code}` : `was killed by ${signal}`)
    })
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(`could not be started (${error.message})`)
    })
  })
}
