import { randomUUID } from 'node:crypto'
import { close, ftruncate, type NoParamCallback, open, read, unlink, writev } from 'node:fs'
import { join } from 'node:path'
import { ownDescriptors } from './own-descriptors.ts'

const ignore: NoParamCallback = () => {}
let fileNumber = 0

/**
 * A file without a name: it goes away with this process, whatever happens. On Linux the name is
 * taken away as soon as the file is open, and other processes reach it through /proc; elsewhere,
 * and where there is no /proc, it keeps its name until it is closed. The name cannot be guessed and
 * the file opens for nobody else, so the folder may be one that others write to, such as `/tmp`.
 */
export class TemporaryFile {
  /** Where another process can open it. */
  readonly path: string
  readonly #fd: number

  private constructor(fd: number, path: string) {
    this.#fd = fd
    this.path = path
  }

  /** Makes one in `directory`; `kind` is a part of its name. */
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
        if (unlinkError === null)
          return callback(null, new TemporaryFile(fd, `${descriptors}/${fd}`))
        close(fd, ignore)
        callback(unlinkError)
      })
    })
  }

  /** Writes all of `pieces`, one behind the other, from `position` on. */
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

  /** Fills `buffer`, or what of it the file has, from `position` on. */
  read(
    buffer: Buffer,
    position: number,
    callback: (error: Error | null, bytes: number) => void,
  ): void {
    read(this.#fd, buffer, 0, buffer.length, position, callback)
  }

  /** Makes it empty. */
  empty(callback: (error: Error | null) => void): void {
    ftruncate(this.#fd, 0, callback)
  }

  /** Nothing else may be under way. */
  close(): void {
    close(this.#fd, ignore)
    if (ownDescriptors() === null) unlink(this.path, ignore)
  }
}

/** What is left of `pieces` without their first bytes. */
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
