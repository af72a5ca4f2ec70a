import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { FileTransfer, type PieceMemory } from '../files/file-transfer.ts'
import type { FileReference } from '../runtimes/runtime.ts'

/**
 * Takes the bytes of a file: `data` for each piece. Call {@link FileSender.written} when the client
 * has taken it.
 */
export interface FileSink {
  /** See `TransferEnds`. */
  data(chunk: Buffer): boolean
  finish(): void
  /** The file cannot be sent to its end: it is a different one, or it has become shorter. */
  failed(reason: string): void
}

/**
 * Sends part of a file as a response body (`wsgi.file_wrapper`), piece by piece as the client takes
 * them, while the worker is free. The path must still lead to the regular file that the worker had
 * open: same device, same inode.
 */
export class FileSender {
  readonly #reference: FileReference
  readonly #memory: PieceMemory
  readonly #sink: FileSink
  #file: FileHandle | null = null
  #transfer: FileTransfer | null = null
  #closed = false

  /** @param memory where the pieces are read to */
  constructor(reference: FileReference, memory: PieceMemory, sink: FileSink) {
    this.#reference = reference
    this.#memory = memory
    this.#sink = sink
  }

  async begin(): Promise<void> {
    const { path, device, inode, offset, length } = this.#reference
    try {
      // Not blocking: a FIFO in place of the file must not block a thread of the pool.
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      this.#file = file
      const stat = await file.stat({ bigint: true })
      if (!stat.isFile() || Number(stat.dev) !== device || Number(stat.ino) !== inode) {
        throw new Error('it is not the file that the application opened')
      }
      if (this.#closed) return this.#end()
      const source = { fd: file.fd, stat, settled: false }
      const segments = [{ start: offset, end: offset + length }]
      this.#transfer = new FileTransfer(source, segments, this.#memory, {
        data: (piece) => this.#sink.data(piece),
        finish: () => {
          this.#end()
          this.#sink.finish()
        },
        failed: (reason) => {
          this.#end()
          this.#fail(reason)
        },
        idle: () => this.#end(),
      })
    } catch (error) {
      this.#end()
      if (!this.#closed) this.#fail((error as Error).message)
      return
    }
    this.#transfer.begin()
  }

  /** The client has taken that many bytes. */
  written(bytes: number): void {
    this.#transfer?.written(bytes)
  }

  /** The rest is not needed. */
  close(): void {
    this.#closed = true
    const transfer = this.#transfer
    if (transfer === null) return // `begin` closes what it opens
    transfer.close()
    if (!transfer.busy) this.#end()
  }

  #fail(reason: string): void {
    this.#sink.failed(`${this.#reference.path}: ${reason}`)
  }

  #end(): void {
    const file = this.#file
    this.#file = null
    file?.close().catch(() => {})
  }
}
