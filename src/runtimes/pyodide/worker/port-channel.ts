import type { MessagePort } from 'node:worker_threads'
import type { FrameChannel } from '../../workers/frame-writer.ts'
import { WORDS } from './worker-link.ts'

/**
 * The sending side of a message port, for a `FrameWriter`. The receiving thread may be blocked, so
 * it is woken through shared memory.
 */
export class PortChannel implements FrameChannel {
  readonly writableLength = 0
  destroyed = false
  readonly #port: MessagePort
  readonly #words: Int32Array

  /** @param words {@link WORDS} */
  constructor(port: MessagePort, words: Int32Array) {
    this.#port = port
    this.#words = words
  }

  write(bytes: Buffer, done?: () => void): void {
    // It is copied at once.
    done?.()
    if (this.destroyed) return
    // A copy of exactly these bytes: a Buffer is often a part of a larger piece of memory, all of
    // which would be cloned.
    const copy = new Uint8Array(bytes)
    this.#port.postMessage(copy, [copy.buffer])
    this.wake()
  }

  wake(): void {
    Atomics.add(this.#words, WORDS.sent, 1)
    Atomics.notify(this.#words, WORDS.sent)
  }

  destroy(): void {
    this.destroyed = true
  }
}
