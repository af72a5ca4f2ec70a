import { connect, type Socket } from 'node:net'
import type { Target } from './raw-client.ts'

/** An answer whose length was in its head. */
export interface Answer {
  status: number
  /** As latin-1. */
  body: string
  /** It said `Connection: close`. */
  closes: boolean
  /** From the first byte of the request to the last of the answer. */
  milliseconds: number
}

interface Waiting {
  since: number
  resolve: (answer: Answer) => void
  reject: (error: Error) => void
}

/**
 * A client that costs little, to have ten thousand of, or to measure with: small answers with a
 * Content-Length, one after another over one connection. (RawConnection is the one that takes a
 * close look.)
 */
export class KeepAliveClient {
  readonly socket: Socket
  /** Bytes that came when nothing was asked. A server that answers twice would be seen here. */
  surplus = 0
  #received = ''
  #waiting: Waiting[] = []
  #ended: string | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk.toString('latin1')))
    socket.on('error', (error) => this.#end(error.message))
    socket.on('end', () => this.#end('closed by the server'))
    socket.on('close', () => this.#end('closed'))
  }

  /**
   * Connects. The caller closes it, or the server does when it is stopped at the end of the test.
   */
  static open(target: Target): Promise<KeepAliveClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(target.port, target.host ?? '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new KeepAliveClient(socket))
      })
    })
  }

  /** False once the server, or this side, has closed the connection. */
  get isOpen(): boolean {
    return this.#ended === undefined
  }

  /**
   * Sends a request and resolves with its answer; rejects when the connection ends before that is
   * complete. Several are pipelined.
   */
  request(bytes: string | Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(new Error(`the connection is ${this.#ended}`))
      this.#waiting.push({ since: performance.now(), resolve, reject })
      this.socket.write(bytes)
    })
  }

  close(): void {
    this.socket.destroy()
  }

  #end(how: string): void {
    this.#ended ??= how
    const received = this.#received.length
    this.#received = ''
    for (const [n, { reject }] of this.#waiting.splice(0).entries()) {
      const cut = n === 0 && received > 0
      reject(new Error(`${cut ? `got ${received} bytes of an answer` : 'no answer'}: ${how}`))
    }
  }

  #take(text: string): void {
    this.#received += text
    while (this.#received !== '') {
      const waiting = this.#waiting[0]
      if (waiting === undefined) {
        this.surplus += this.#received.length
        this.#received = ''
        return
      }
      const head = this.#received.indexOf('\r\n\r\n') + 4
      if (head < 4) return
      const length = /\r\nContent-Length: (\d+)\r\n/i.exec(this.#received.slice(0, head))?.[1]
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(this.#received)?.[1]
      if (length === undefined || status === undefined) {
        this.#end(`not answered as expected: ${this.#received.slice(0, head)}`)
        this.socket.destroy()
        return
      }
      const end = head + Number(length)
      if (this.#received.length < end) return
      this.#waiting.shift()
      waiting.resolve({
        status: Number(status),
        body: this.#received.slice(head, end),
        closes: /\r\nConnection: close\r\n/i.test(this.#received.slice(0, head)),
        milliseconds: performance.now() - waiting.since,
      })
      this.#received = this.#received.slice(end)
    }
  }
}
