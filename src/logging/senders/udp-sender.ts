import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns'
import { setTimeout as sleep } from 'node:timers/promises'
import { MOST_KEPT, type OnTrouble, PATIENCE_MS, type Sender } from './sender.ts'

/** How long after a failure the name is looked up again, in milliseconds. */
const RETRY_MS = 5000

/**
 * Sends UDP datagrams. A connected socket hands a datagram to the kernel within the call of `send`,
 * so nothing is lost if the process ends right after it. A daemon that is not there costs nothing.
 *
 * @example
 * const sender = new UdpSender({ host: 'localhost', port: 8125 })
 * sender.send('requests:1|c')
 */
export class UdpSender implements Sender {
  readonly #host: string
  readonly #port: number
  readonly #onTrouble: OnTrouble
  #socket: Socket | null = null
  /** What waits until the address is known; null when it is. */
  #kept: string[] | null = []
  #keptBytes = 0
  #troubled = false
  #closed = false

  constructor(address: { host: string; port: number }, onTrouble: OnTrouble = () => {}) {
    this.#host = address.host
    this.#port = address.port
    this.#onTrouble = onTrouble
    this.#connect()
  }

  send(message: string): void {
    if (this.#kept === null) this.#socket?.send(message, ignore)
    else if (!this.#closed && this.#keptBytes + message.length <= MOST_KEPT) {
      this.#kept.push(message)
      this.#keptBytes += message.length
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const until = Date.now() + PATIENCE_MS
    // The name may still be looked up; otherwise the queue is empty except on a full send buffer.
    while (Date.now() < until && !this.#troubled && this.#waits) await sleep(5)
    this.#closed = true
    this.#kept = null
    this.#socket?.close()
    this.#socket = null
  }

  get #waits(): boolean {
    if (this.#kept !== null) return this.#kept.length > 0
    return (this.#socket?.getSendQueueCount() ?? 0) > 0
  }

  #connect(): void {
    lookup(this.#host, (error, address, family) => {
      if (this.#closed) return
      if (error !== null) {
        this.#failed(`${this.#host} cannot be found (${error.code ?? error.message})`)
        return
      }
      const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
      socket.on('error', ignore)
      socket.unref()
      socket.connect(this.#port, address, ((problem?: Error) => {
        if (this.#closed) socket.close()
        else if (problem instanceof Error) {
          socket.close()
          this.#failed(`${this.#host}: ${problem.message}`)
        } else this.#connected(socket)
      }) as () => void)
    })
  }

  #connected(socket: Socket): void {
    this.#socket = socket
    this.#troubled = false
    const kept = this.#kept ?? []
    this.#kept = null
    for (const message of kept) socket.send(message, ignore)
  }

  #failed(text: string): void {
    if (!this.#troubled) this.#onTrouble(text)
    this.#troubled = true
    setTimeout(() => {
      if (!this.#closed) this.#connect()
    }, RETRY_MS).unref()
  }
}

/** ECONNREFUSED and the like: UDP promises nothing. */
function ignore(): void {}
