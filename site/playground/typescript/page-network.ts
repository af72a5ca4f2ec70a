/**
 * What stands for sockets in the page, for programs with `node:net`: a listener that gets one
 * connection for each request of the HTTP client.
 */
import { latin1Bytes, PageBuffer } from '../engine/node-buffer.ts'
import type { Response } from '../protocol.ts'

type Listener = (...values: never[]) => void

/** The most that a client takes, in bytes. */
const LIMIT = 1024 * 1024

/** As much of Node's EventEmitter as small programs use. */
class Events {
  readonly #listeners = new Map<string, Listener[]>()

  on(name: string, listener: Listener): this {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener])
    return this
  }

  once(name: string, listener: Listener): this {
    const only = ((...values: never[]) => {
      this.off(name, only)
      listener(...values)
    }) as Listener
    return this.on(name, only)
  }

  off(name: string, listener: Listener): this {
    const others = (this.#listeners.get(name) ?? []).filter((each) => each !== listener)
    this.#listeners.set(name, others)
    return this
  }

  emit(name: string, ...values: unknown[]): boolean {
    const listeners = this.#listeners.get(name) ?? []
    for (const listener of listeners) listener(...(values as never[]))
    return listeners.length > 0
  }
}

/** A client's connection: it gives the bytes of one request, and keeps what is written. */
export class PageConnection extends Events {
  readonly requestBytes: Uint8Array
  destroyed = false
  readonly #sent: Uint8Array[] = []
  #size = 0
  readonly #ended: Promise<void>
  #end: () => void = () => {}

  constructor(request: Uint8Array) {
    super()
    this.requestBytes = request
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  override on(name: string, listener: Listener): this {
    super.on(name, listener)
    if (name === 'data') queueMicrotask(() => this.emit('data', PageBuffer.from(this.requestBytes)))
    return this
  }

  async *iterator(_options?: unknown): AsyncGenerator<PageBuffer> {
    yield PageBuffer.from(this.requestBytes)
  }

  [Symbol.asyncIterator](): AsyncGenerator<PageBuffer> {
    return this.iterator()
  }

  write(data: string | Uint8Array, encoding = 'utf8'): boolean {
    if (this.destroyed) return false
    const bytes = typeof data === 'string' ? PageBuffer.from(data, encoding) : Uint8Array.from(data)
    this.#size += bytes.length
    if (this.#size > LIMIT) this.destroy()
    else this.#sent.push(bytes)
    return true
  }

  end(data?: string | Uint8Array, encoding?: string): void {
    if (data !== undefined) this.write(data, encoding)
    this.#end()
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
    this.#end()
  }

  setTimeout(): this {
    return this
  }

  /** Writes a whole response. */
  answer({ status, headers, body }: Response): void {
    const lines = headers.map(([name, value]) => `${name}: ${value}`)
    this.write(latin1Bytes([`HTTP/1.1 ${status}`, ...lines, '', ''].join('\r\n')))
    this.write(body)
  }

  /** All that was sent, once the program has ended the connection. */
  async received(): Promise<Uint8Array> {
    await this.#ended
    return PageBuffer.concat(this.#sent)
  }
}

type Serve = (connection: PageConnection) => void

let serve: Serve | null = null

let listened: () => void = () => {}

/** Sets what serves connections; null: nothing listens. */
export function listen(serving: Serve | null): void {
  serve = serving
  if (serving !== null) listened()
}

/** Resolves when a program listens the next time. */
export function whenListening(): Promise<void> {
  return new Promise((resolve) => {
    listened = resolve
  })
}

/** Opens a connection that has sent these bytes. Null if no program listens. */
export function connect(request: Uint8Array): PageConnection | null {
  if (serve === null) return null
  const connection = new PageConnection(request)
  serve(connection)
  return connection
}

/** `node:net` */
export const net = {
  createServer(...options: unknown[]) {
    const accept = options.findLast((each) => typeof each === 'function') as Serve | undefined
    const events = new Events()
    let port = 8000
    return Object.assign(events, {
      listen(...given: unknown[]) {
        if (typeof given[0] === 'number' && given[0] !== 0) port = given[0]
        listen((connection) => {
          accept?.(connection)
          events.emit('connection', connection)
        })
        const listening = given.findLast((each) => typeof each === 'function') as
          | (() => void)
          | undefined
        queueMicrotask(() => {
          listening?.()
          events.emit('listening')
        })
        return events
      },
      address: () => ({ address: '127.0.0.1', family: 'IPv4', port }),
      close: () => listen(null),
    })
  },
}

/** `node:events` */
export const events = {
  EventEmitter: Events,
  once: (emitter: Events, name: string) =>
    new Promise<unknown[]>((resolve) => {
      emitter.once(name, ((...values: unknown[]) => resolve(values)) as unknown as Listener)
    }),
}
