import { connect, type Socket } from 'node:net'
import { MOST_KEPT, type OnTrouble, type Sender, withinPatience } from './sender.ts'

/** How long after a failure the next connection is tried, in milliseconds. */
const RETRY_MS = 1000

/**
 * Sends messages through one TCP or unix stream connection, which is made again when it breaks.
 * Meanwhile messages are kept, up to 4 MiB; those beyond are lost, and counted.
 */
export class StreamSender implements Sender {
  readonly #address: { host: string; port: number } | { path: string }
  readonly #onTrouble: OnTrouble
  /** Called with a code such as EPROTOTYPE when a connection fails; true if it takes over. */
  readonly #failed: (code: string) => boolean
  #socket: Socket | null = null
  #connected = false
  #kept: string[] = []
  #keptBytes = 0
  #lost = 0
  #troubled = false
  #closing: (() => void) | null = null

  constructor(
    address: { host: string; port: number } | { path: string },
    onTrouble: OnTrouble = () => {},
    failed: (code: string) => boolean = () => false,
  ) {
    this.#address = address
    this.#onTrouble = onTrouble
    this.#failed = failed
    this.#connect()
  }

  send(message: string): void {
    if (this.#closing !== null) return
    const waiting = this.#connected ? (this.#socket?.writableLength ?? 0) : this.#keptBytes
    if (waiting + message.length > MOST_KEPT) {
      this.#lost++
      return
    }
    if (this.#connected) {
      this.#socket?.write(message)
      return
    }
    this.#kept.push(message)
    this.#keptBytes += message.length
  }

  /** What has not been sent yet, for a sender that takes over. */
  takeKept(): string[] {
    const kept = this.#kept
    this.#kept = []
    this.#keptBytes = 0
    return kept
  }

  async close(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      this.#closing = resolve
    })
    if (this.#connected) this.#socket?.end()
    if (this.#connected || this.#kept.length > 0) await withinPatience(gone)
    this.#socket?.destroy()
    this.#socket = null
  }

  #connect(): void {
    const socket = connect(this.#address)
    this.#socket = socket
    socket.unref()
    let reason = 'the connection was closed'
    socket.on('connect', () => this.#begin(socket))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reason = error.message
      if (!this.#connected && this.#failed(error.code ?? '')) this.#closing = () => {}
    })
    socket.on('close', () => {
      this.#connected = false
      if (this.#closing !== null) {
        this.#closing()
        return
      }
      if (!this.#troubled) this.#onTrouble(reason)
      this.#troubled = true
      setTimeout(() => {
        if (this.#closing === null) this.#connect()
      }, RETRY_MS).unref()
    })
    // Nothing is expected from the other side, but its end must be noticed.
    socket.resume()
  }

  #begin(socket: Socket): void {
    this.#connected = true
    this.#troubled = false
    for (const message of this.takeKept()) socket.write(message)
    if (this.#lost > 0) this.#onTrouble(`${this.#lost} messages were lost meanwhile`)
    this.#lost = 0
    if (this.#closing !== null) socket.end()
  }
}
