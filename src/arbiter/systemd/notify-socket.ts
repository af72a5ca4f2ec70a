/** Messages to systemd (sd_notify(3)), which reads datagrams from a unix socket. */
import { type ChildProcess, spawn } from 'node:child_process'
import { writeSync } from 'node:fs'
import { helperArguments, helperPythons } from '../../process/helper-python.ts'
import { descriptorOfSocket } from '../../transport/node-internals.ts'

/** Who systemd sees as the sender; it takes messages of the main process by default. */
export type NotifySender = 'this process' | 'another process' | 'nobody'

/** What a driver uses of the socket. */
export interface Notifier {
  /** Resolves when it is known who sends. Messages may be sent before. */
  readonly sender: Promise<NotifySender>
  /** @param message assignments, a line each: `READY=1` */
  send(message: string): void
  close(): void
}

/** How long a full socket is waited for, and how often; milliseconds. */
const RETRY_MS = 50
const RETRIES = 40

/**
 * Sends to the socket that `NOTIFY_SOCKET` names. Node.js has no unix datagram sockets, so one of
 * these sends, whatever is there first:
 *
 * 1. this process, over a socket that a small Python program opens and hands over;
 * 2. that program itself, where the socket does not arrive;
 * 3. `systemd-notify`, once for each message, if there is no Python.
 */
export class NotifySocket implements Notifier {
  readonly sender: Promise<NotifySender>
  readonly #path: string
  #helper: ChildProcess | null = null
  /** Identifies the socket that was handed over, as long as it is there. */
  #inode: number | null = null
  /** What waits until somebody can send; null when that is known. */
  #kept: string[] | null = []
  #send: (message: string) => void = () => {}

  /** @param path of the socket; `@name` is an abstract one */
  constructor(path: string, pythons: readonly string[] = helperPythons(process.env)) {
    this.#path = path
    this.sender = this.#open(pythons)
  }

  send(message: string): void {
    if (this.#kept === null) this.#send(message)
    else this.#kept.push(message)
  }

  close(): void {
    this.#helper?.stdin?.end()
  }

  async #open(pythons: readonly string[]): Promise<NotifySender> {
    const sender = await this.#choose(pythons)
    const kept = this.#kept ?? []
    this.#kept = null
    for (const message of kept) this.#send(message)
    return sender
  }

  async #choose(pythons: readonly string[]): Promise<NotifySender> {
    for (const python of pythons) {
      const answer = await this.#ask(python)
      if (answer === null) continue
      if (!('inode' in answer)) return 'nobody'
      if (descriptorOfSocket(answer.inode) !== null) {
        this.#inode = answer.inode
        this.#send = (message) => this.#write(message, RETRIES)
        return 'this process'
      }
      this.#send = (message) => this.#helper?.stdin?.write(`${message}\0`)
      return 'another process'
    }
    this.#send = (message) => this.#runSystemdNotify(message)
    return 'another process'
  }

  /** Starts the helper; null if it does not run with this Python. */
  #ask(python: string): Promise<{ inode: number } | { error: string } | null> {
    return new Promise((resolve) => {
      const helper = spawn(python, helperArguments('monoceros-notify', this.#path), {
        // A process group of its own: it ends after what it still has to send.
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
      })
      helper.once('message', (answer) => {
        this.#helper = helper
        helper.unref()
        helper.channel?.unref()
        resolve(answer as { inode: number } | { error: string })
      })
      helper.on('error', () => resolve(null))
      helper.once('exit', () => {
        // The socket was a part of its channel.
        this.#inode = null
        resolve(null)
      })
      helper.stdin?.on('error', () => {})
      ;(helper.stdin as unknown as { unref?: () => void } | null)?.unref?.()
    })
  }

  #write(message: string, retries: number): void {
    // Each time: another file may have the number by now.
    const descriptor = this.#inode === null ? null : descriptorOfSocket(this.#inode)
    if (descriptor === null) return
    try {
      writeSync(descriptor, message)
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'EAGAIN'
      if (full && retries > 0) setTimeout(() => this.#write(message, retries - 1), RETRY_MS)
    }
  }

  #runSystemdNotify(message: string): void {
    const env = { ...process.env, NOTIFY_SOCKET: this.#path }
    const child = spawn('systemd-notify', message.split('\n'), { env, stdio: 'ignore' })
    child.on('error', () => {}) // it is not installed
    child.unref()
  }
}
