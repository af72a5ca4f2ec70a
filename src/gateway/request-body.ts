import { randomUUID } from 'node:crypto'
import { close, type NoParamCallback, open, unlink, write } from 'node:fs'
import { join } from 'node:path'
import type { TaskBody } from '../runtimes/runtime.ts'
import { ownDescriptors } from './own-descriptors.ts'

/** Where and how request bodies are kept until a worker is engaged. */
export interface BodyStore {
  /** Up to this many bytes a body stays in memory. */
  readonly memory: number
  /** A folder for temporary files; one that others may write to will do, such as `/tmp`: names are not to be guessed, files not to be opened by others. */
  readonly directory: string
}

let fileNumber = 0

/**
 * A request body on its way in: in memory while it is small, then in a temporary file. The file has no name any more as soon as it is open
 * (on Linux; a worker reaches it through /proc), so that it goes away with this process, whatever happens.
 */
export class RequestBody {
  length = 0
  readonly #store: BodyStore
  readonly #chunks: Buffer[] = []
  #fd = -1
  #path = ''
  #written = 0
  #writing = false
  #spilled = false
  #discarded = false
  #failure: Error | null = null
  #idle: (() => void) | null = null

  constructor(store: BodyStore) {
    this.#store = store
  }

  /** True while the file is behind: the caller should stop reading, and go on after {@link whenWritten}. */
  get behind(): boolean {
    return this.#writing
  }

  /** Why the body cannot be stored; null while nothing went wrong. */
  get failure(): Error | null {
    return this.#failure
  }

  append(chunk: Buffer): void {
    this.length += chunk.length
    if (this.#failure !== null) return // there is no place for it
    this.#chunks.push(chunk)
    if (!this.#spilled && this.length > this.#store.memory) {
      this.#spilled = true
      this.#open()
    } else if (this.#spilled && !this.#writing) {
      this.#writeNext()
    }
  }

  /** Calls back once when all that was appended is in its place, at once where it is. */
  whenWritten(callback: () => void): void {
    if (this.#writing) this.#idle = callback
    else callback()
  }

  /** The body as a task carries it, once it is complete and written. @throws the error that writing the file met */
  finished(): TaskBody {
    if (this.#failure !== null) throw this.#failure
    if (!this.#spilled) return { kind: 'whole', chunks: this.#chunks, length: this.length }
    return { kind: 'file', path: this.#path, length: this.length }
  }

  /** Forgets the body; the file goes. May be called more than once. */
  discard(): void {
    this.#discarded = true
    this.#chunks.length = 0
    this.#idle = null
    if (!this.#writing) this.#remove()
  }

  #open(): void {
    this.#writing = true
    const name = join(this.#store.directory, `body-${process.pid}-${++fileNumber}-${randomUUID()}`)
    open(name, 'wx+', 0o600, (error, fd) => {
      if (error !== null) return this.#fail(error)
      this.#fd = fd
      const descriptors = ownDescriptors()
      if (descriptors === null) {
        this.#path = name
        return this.#writeNext()
      }
      this.#path = `${descriptors}/${fd}`
      unlink(name, (unlinkError) => (unlinkError !== null ? this.#fail(unlinkError) : this.#writeNext()))
    })
  }

  #writeNext(): void {
    if (this.#discarded || this.#chunks.length === 0) {
      this.#writing = false
      if (this.#discarded) this.#remove()
      const idle = this.#idle
      this.#idle = null
      idle?.()
      return
    }
    this.#writing = true
    const chunk = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks)
    this.#chunks.length = 0
    this.#writeAll(chunk, 0)
  }

  #writeAll(chunk: Buffer, from: number): void {
    write(this.#fd, chunk, from, chunk.length - from, this.#written, (error, count) => {
      if (error !== null) return this.#fail(error)
      this.#written += count
      if (from + count < chunk.length) this.#writeAll(chunk, from + count)
      else this.#writeNext()
    })
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#chunks.length = 0
    this.#writeNext()
  }

  #remove(): void {
    if (this.#fd === -1) return
    const ignore: NoParamCallback = () => {}
    close(this.#fd, ignore)
    this.#fd = -1
    if (ownDescriptors() === null) unlink(this.#path, ignore)
  }
}
