import { randomUUID } from 'node:crypto'
import { close, ftruncate, type NoParamCallback, open, read, unlink, writev } from 'node:fs'
import { join } from 'node:path'
import { ownDescriptors } from './own-descriptors.ts'

const ignore: NoParamCallback = () => {}
let fileNumber = 0

/**
 * A file that does not outlive this process. On Linux its name is removed as soon as the file is
 * open, and other processes open it through /proc. On other systems, or without /proc, it keeps its
 * name until it is closed. The name cannot be guessed and no other user can open the file, so the
 * folder may be one that others can write to, such as `/tmp`.
 */
export class TemporaryFile {
  /** The path by which another process can open it. */
  readonly path: string
  readonly #fd: number

  private constructor(fd: number, path: string) {
    this.#fd = fd
    this.path = path
  }

  /** Makes a file in `directory`. `kind` is a part of its name. */
  static open(
    directory: string,
    kind: string,
    callback: (error: Error | null, file?: TemporaryFile) => void,
  ): void {
    const name = join(directory, `${kind}-${process.pid}-${++fileNumber}-${randomUUID()}`)
    open(name, 'wx+', 0o600, (error, fd) => {
      if (error !== null) return callback(error)
      const descriptors = ownDescriptors()
      if (descriptors === null) return callback(null, new TemporaryFile(fd, name))
      unlink(name, (unlinkError) => {
        // Deno calls back with undefined.
        if (!unlinkError) return callback(null, new TemporaryFile(fd, `${descriptors}/${fd}`))
        close(fd, ignore)
        callback(unlinkError)
      })
    })
  }

  /** Writes all of `pieces`, one after another, from `position`. */
  write(
    pieces: readonly Buffer[],
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    writev(this.#fd, pieces as Buffer[], position, (error, written) => {
      if (error !== null) return callback(error)
      const rest = withoutFirst(pieces, written)
      if (rest.length === 0) callback(null)
      else this.write(rest, position + written, callback)
    })
  }

  /** Reads from `position` until `buffer` is full or the file ends. */
  read(
    buffer: Buffer,
    position: number,
    callback: (error: Error | null, bytes: number) => void,
  ): void {
    read(this.#fd, buffer, 0, buffer.length, position, callback)
  }

  /** Truncates the file to 0 bytes. */
  empty(callback: (error: Error | null) => void): void {
    ftruncate(this.#fd, 0, callback)
  }

  /** Closes the file. No other operation may be in progress. */
  close(): void {
    close(this.#fd, ignore)
    if (ownDescriptors() === null) unlink(this.path, ignore)
  }
}

/** The rest of `pieces` after their first bytes. */
function withoutFirst(pieces: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes
  const rest: Buffer[] = []
  for (const piece of pieces) {
    if (skip >= piece.length) skip -= piece.length
    else {
      rest.push(skip === 0 ? piece : piece.subarray(skip))
      skip = 0
    }
  }
  return rest
}
