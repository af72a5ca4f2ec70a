import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { FileReference } from '../runtimes/runtime.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'

/**
 * What takes the bytes of a file: `data` for each piece, and back by {@link FileSender.written} when
 * the client has taken it.
 */
export interface FileSink {
  data(chunk: Buffer): void
  finish(): void
  /**
   * The file cannot be sent (to its end): it is not the one that was meant, or it became shorter.
   */
  failed(reason: string): void
}

/**
 * Each costs a turn of node's thread pool: 128 KiB 1.3 times the processor time, 512 KiB 0.6 times;
 * two of them are what a slow reader holds.
 */
const PIECE = 256 * 1024
/** The same while memory is short. */
const PIECE_UNDER_PRESSURE = 32 * 1024
/** Pieces that are on their way to the client at once: one is read while the other is written. */
const AHEAD = 2

/**
 * Sends part of a file as a response body (`wsgi.file_wrapper`), a piece at a time as fast as the
 * client takes them; the worker is free meanwhile. The path is opened without following it to
 * anything but the regular file that the worker had open: same device, same inode.
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

  /** @param memory tells whether there is little: then less is read ahead of the client */
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
      // Not blocking: a FIFO in the file's place must not hold up a thread of the pool.
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

  /** Nobody wants the rest. */
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
      if (bytesRead === 0) failure = new Error('it ends before the length that was promised')
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
