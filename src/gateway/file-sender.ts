import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { FileReference } from '../runtimes/runtime.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'

/**
 * Takes the bytes of a file: `data` for each piece. Call {@link FileSender.written} when the client
 * has taken it.
 */
export interface FileSink {
  data(chunk: Buffer): void
  finish(): void
  /** The file cannot be sent to its end: it is a different one, or it has become shorter. */
  failed(reason: string): void
}

/**
 * Bytes read at once. Each read costs a turn of Node's thread pool: 128 KiB take 1.3 times the
 * processor time for a file, 512 KiB 0.6 times. A slow reader holds two pieces.
 */
const PIECE = 256 * 1024
/** The same while memory is short. */
const PIECE_UNDER_PRESSURE = 32 * 1024
/** Pieces on their way to the client at once: one is read while the other is written. */
const AHEAD = 2

/**
 * Sends part of a file as a response body (`wsgi.file_wrapper`), piece by piece as the client takes
 * them, while the worker is free. The path must still lead to the regular file that the worker had
 * open: same device, same inode.
 */
export class FileSender {
  readonly #reference: FileReference
  readonly #memory: MemoryBudget
  readonly #sink: FileSink
  #file: FileHandle | null = null
  #offset: number
  #left: number
  #unwritten = 0
  #reading = false
  #closed = false

  /** @param memory while it is short, less is read ahead of the client */
  constructor(reference: FileReference, memory: MemoryBudget, sink: FileSink) {
    this.#reference = reference
    this.#memory = memory
    this.#sink = sink
    this.#offset = reference.offset
    this.#left = reference.length
  }

  async begin(): Promise<void> {
    const { path, device, inode } = this.#reference
    try {
      // Not blocking: a FIFO in place of the file must not block a thread of the pool.
      this.#file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      const stat = await this.#file.stat()
      if (!stat.isFile() || stat.dev !== device || stat.ino !== inode) {
        throw new Error('it is not the file that the application opened')
      }
    } catch (error) {
      this.#end()
      if (!this.#closed) this.#fail(error)
      return
    }
    if (this.#closed) this.#end()
    else this.#next()
  }

  /** The client has taken that many bytes. */
  written(bytes: number): void {
    this.#unwritten -= bytes
    this.#next()
  }

  /** The rest is not needed. */
  close(): void {
    this.#closed = true
    if (!this.#reading) this.#end()
  }

  async #next(): Promise<void> {
    const size = this.#memory.pressed ? PIECE_UNDER_PRESSURE : PIECE
    if (this.#reading || this.#closed || this.#file === null || this.#unwritten >= size * AHEAD)
      return
    if (this.#left === 0) {
      this.#closed = true
      this.#end()
      this.#sink.finish()
      return
    }
    this.#reading = true
    const buffer = Buffer.allocUnsafeSlow(Math.min(size, this.#left))
    let bytesRead = 0
    let failure: unknown = null
    try {
      ;({ bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#offset))
      if (bytesRead === 0) failure = new Error('it ends before the promised length')
    } catch (error) {
      failure = error
    }
    this.#reading = false
    if (this.#closed) return this.#end()
    if (failure !== null) {
      this.close()
      return this.#fail(failure)
    }
    this.#offset += bytesRead
    this.#left -= bytesRead
    this.#unwritten += bytesRead
    this.#sink.data(bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead))
    void this.#next()
  }

  #fail(error: unknown): void {
    this.#sink.failed(
      `${this.#reference.path}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }

  #end(): void {
    const file = this.#file
    this.#file = null
    file?.close().catch(() => {})
  }
}
