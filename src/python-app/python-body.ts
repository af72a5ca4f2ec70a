import { FileSender } from '../gateway/file-sender.ts'
import type { FileReference } from '../runtimes/runtime.ts'
import { FreshPieces } from '../spool/piece-pool.ts'
import { processStore } from '../spool/process-store.ts'

/** Called by a body about its consumer. */
export interface BodyConsumer {
  /** The consumer has taken that many more bytes. */
  taken(bytes: number): void
  /** The rest is not wanted. */
  unwanted(): void
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void
  readonly reject: (error: Error) => void
}

const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined }

/**
 * A response's body from a worker. It holds at most the worker's window, because credit is granted
 * only for bytes that were taken.
 */
export class PythonBody implements AsyncIterableIterator<Uint8Array> {
  readonly #consumer: BodyConsumer
  #chunks: Uint8Array[] = []
  #waiting: Waiting[] = []
  #file: FileSender | null = null
  /** Nothing more will come. */
  #ended = false
  #error: Error | null = null

  constructor(consumer: BodyConsumer) {
    this.#consumer = consumer
  }

  // ---------------------------------------------------------------- from the worker

  push(chunk: Uint8Array): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) {
      this.#chunks.push(chunk)
      return
    }
    waiting.resolve({ done: false, value: chunk })
    this.#took(chunk.length)
  }

  end(): void {
    this.#ended = true
    for (const { resolve } of this.#waiting) resolve(DONE)
    this.#waiting = []
  }

  fail(error: Error): void {
    this.#ended = true
    this.#file?.close()
    const first = this.#waiting.shift()
    if (first === undefined) this.#error = error
    else first.reject(error)
    this.end()
  }

  /** The rest is a part of a file; `over` when all of it has been read, or none can be. */
  file(reference: FileReference, over: () => void): void {
    this.#file = new FileSender(reference, new FreshPieces(processStore().memory), {
      data: (chunk) => {
        this.push(chunk)
        return true
      },
      finish: () => {
        this.end()
        over()
      },
      failed: (reason) => {
        this.fail(new Error(`The file of a response cannot be sent: ${reason}`))
        over()
      },
    })
    void this.#file.begin()
  }

  // ---------------------------------------------------------------- for the consumer

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) {
      this.#took(chunk.length)
      return Promise.resolve({ done: false, value: chunk })
    }
    const error = this.#error
    if (error !== null) {
      this.#error = null
      return Promise.reject(error)
    }
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.close()
    return Promise.resolve(DONE)
  }

  /** Python's `close()` then runs, unless it has run already. May be called more than once. */
  close(): void {
    this.#chunks = []
    this.#error = null
    this.#file?.close()
    this.#file = null
    if (this.#ended) return
    this.end()
    this.#consumer.unwanted()
  }

  #took(bytes: number): void {
    if (this.#file === null) this.#consumer.taken(bytes)
    else this.#file.written(bytes)
  }
}
