import { EventEmitter, once } from 'node:events'

export interface Message {
  readonly id: number
  readonly text: string
}

/** How many messages are kept for those who join, or come back. */
const KEPT = 100
/** A proxy may close a connection on which nothing happens for longer, in milliseconds. */
const HEARTBEAT = 15_000

/**
 * Messages for everybody who listens. Nothing is kept for each listener but the number of its last
 * message, so a slow one costs no memory: it misses what is older than the last 100.
 */
export class Feed {
  readonly #messages: Message[] = []
  readonly #wake = new EventEmitter().setMaxListeners(0)
  #last = 0

  constructor() {
    setInterval(() => this.#wake.emit('wake'), HEARTBEAT).unref()
  }

  publish(text: string): Message {
    const message = { id: ++this.#last, text }
    this.#messages.push(message)
    if (this.#messages.length > KEPT) this.#messages.shift()
    this.#wake.emit('wake')
    return message
  }

  get listeners(): number {
    return this.#wake.listenerCount('wake')
  }

  /**
   * The messages after the one with this number, and all that come, until the signal aborts; and
   * `null` if there was none for a while.
   */
  async *after(last: number, signal: AbortSignal): AsyncGenerator<Message | null> {
    // A number of before a restart.
    if (last > this.#last) last = 0
    while (!signal.aborted) {
      const message = this.#messages.find(({ id }) => id > last)
      if (message !== undefined) {
        last = message.id
        yield message
        continue
      }
      try {
        await once(this.#wake, 'wake', { signal })
      } catch {
        return
      }
      if (last === this.#last) yield null
    }
  }
}
