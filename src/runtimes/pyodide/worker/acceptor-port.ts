import type { MessagePort } from 'node:worker_threads'
import type { Coded } from '../../../messages/coded.ts'
import { encodeFrame, LOG } from '../../workers/frames.ts'
import type { DEBUG, INFO } from '../../workers/log-levels.ts'
import { MOST_UNTAKEN, type ThreadNotice, WORDS } from './worker-link.ts'

/** The thread's end of the link to the acceptor: what it sends there. */
export class AcceptorPort {
  readonly #port: MessagePort
  readonly #words: Int32Array

  /** @param words {@link WORDS} */
  constructor(port: MessagePort, words: Int32Array) {
    this.#port = port
    this.#words = words
  }

  notify(notice: ThreadNotice): void {
    this.#port.postMessage(notice)
  }

  /** Sends a line for the error log, with one of Python's levels. */
  log(level: typeof DEBUG | typeof INFO, text: string): void
  log(level: number, text: Coded): void
  log(level: number, text: string): void {
    const payload = Buffer.concat([Buffer.from([level]), Buffer.from(text)])
    this.sendFrames(new Uint8Array(encodeFrame(LOG, 0, payload)))
  }

  /** Sends frames. Their memory is transferred, so the caller must not use it any more. */
  sendFrames(bytes: Uint8Array<ArrayBuffer>): void {
    const size = bytes.length
    this.#port.postMessage(bytes, [bytes.buffer])
    this.#waitForSpace(size)
  }

  /** Returns a function that sends what Python writes to a standard stream. */
  output(stream: 'stdout' | 'stderr'): (bytes: Uint8Array) => void {
    return (bytes) => {
      this.notify({ type: 'output', stream, bytes: bytes.slice() })
      this.#waitForSpace(bytes.length)
    }
  }

  /**
   * Blocks after a message of `size` bytes until the acceptor has received enough. The acceptor
   * receives everything, whatever its clients do, so this ends.
   */
  #waitForSpace(size: number): void {
    let untaken = Atomics.add(this.#words, WORDS.untaken, size) + size
    while (untaken > MOST_UNTAKEN) {
      Atomics.wait(this.#words, WORDS.untaken, untaken)
      untaken = Atomics.load(this.#words, WORDS.untaken)
    }
  }
}
