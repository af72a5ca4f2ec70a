import { type ChildProcess, spawn } from 'node:child_process'
import {
  type ApplicationPython,
  helperArguments,
  helperPythons,
} from '../../process/helper-python.ts'
import { MOST_KEPT, type OnTrouble, type Sender, withinPatience } from './sender.ts'

/** How long after its end the relay is started again, in milliseconds. */
const RETRY_MS = 5000

/**
 * Sends datagrams to a unix socket, such as /dev/log, through a small Python process: Node.js has
 * no unix datagram sockets. The relay ends when this process does.
 */
export class RelaySender implements Sender {
  readonly #path: string
  readonly #onTrouble: OnTrouble
  #relay: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()
  #closed = false
  #lost = 0

  /** @param path of the socket; `@name` is an abstract one */
  constructor(path: string, own: ApplicationPython, onTrouble: OnTrouble = () => {}) {
    this.#path = path
    this.#onTrouble = onTrouble
    this.#start(helperPythons(process.env, own))
  }

  send(message: string): void {
    const pipe = this.#relay?.stdin
    if (pipe === null || pipe === undefined || this.#closed) return
    if (pipe.writableLength > MOST_KEPT) {
      if (this.#lost++ === 0) this.#onTrouble(`${this.#path} takes no messages; they are lost`)
      return
    }
    this.#lost = 0
    const length = Buffer.byteLength(message)
    const framed = Buffer.allocUnsafe(4 + length)
    framed.writeUInt32LE(length)
    framed.write(message, 4)
    pipe.write(framed)
  }

  async close(): Promise<void> {
    this.#closed = true
    const relay = this.#relay
    relay?.stdin?.end()
    await withinPatience(this.#ended)
    if (relay?.exitCode === null && relay.signalCode === null) relay.kill('SIGKILL')
  }

  #start([command, ...others]: readonly string[]): void {
    if (command === undefined) {
      this.#onTrouble(
        `no Python was found, which unix datagram sockets such as ${this.#path} need here. ` +
          'Set --python, or use an address with udp:// instead',
      )
      return
    }
    const relay = spawn(command, helperArguments('monoceros-relay', this.#path), {
      // A process group of its own: the relay ends by itself, after what it still has to send.
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    this.#relay = relay
    this.#ended = new Promise((resolve) => {
      relay.on('error', (error: NodeJS.ErrnoException) => {
        resolve()
        if (error.syscall?.startsWith('spawn') && !this.#closed) this.#start(others)
      })
      relay.on('exit', () => {
        resolve()
        this.#again(command)
      })
    })
    relay.stdin.on('error', () => {})
    relay.stderr.on('data', (text: Buffer) => this.#onTrouble(text.toString().trim()))
    for (const held of [relay, relay.stdin, relay.stderr])
      (held as unknown as { unref?: () => void }).unref?.()
  }

  #again(command: string): void {
    if (this.#closed) return
    setTimeout(() => {
      if (!this.#closed) this.#start([command])
    }, RETRY_MS).unref()
  }
}
