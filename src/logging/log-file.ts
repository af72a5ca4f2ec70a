import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Thrown when a log file cannot be opened; `message` is for the user. */
export class LogFileError extends Error {
  readonly code = 'log-file'
}

/**
 * How long one write may wait for a reader that does not keep up (a full, non-blocking pipe), in
 * milliseconds.
 */
const patience = 1000

/**
 * An open place to append log entries to: a file, or one of the process's own standard streams.
 *
 * Files are opened for appending, so several processes may write to one: entries written with one
 * call each are not mixed.
 */
export class LogFile {
  readonly path: string
  readonly #standard: 1 | 2
  #fd: number

  /**
   * @param path a file, or `-` for the standard stream
   * @param standard the file descriptor that `-` means: 1 or 2
   * @throws LogFileError when the file cannot be opened
   */
  constructor(path: string, standard: 1 | 2) {
    this.path = path
    this.#standard = standard
    this.#fd = this.#open()
  }

  get fd(): number {
    return this.#fd
  }

  /** True when somebody reads it on a terminal. */
  get terminal(): boolean {
    return isatty(this.#fd)
  }

  /**
   * The most bytes that reach it unmixed with those of other processes in one write: unlimited for
   * a file, PIPE_BUF for a pipe (4096 on Linux; POSIX guarantees 512, macOS has that).
   */
  get atomicWrite(): number {
    try {
      return fstatSync(this.#fd).isFile()
        ? Number.POSITIVE_INFINITY
        : process.platform === 'linux'
          ? 4096
          : 512
    } catch {
      return 512
    }
  }

  /**
   * Appends all of `data` and returns true; false when that was not possible (disk full, reader
   * gone). Never throws: a server goes on when its log cannot be written.
   */
  write(data: Uint8Array): boolean {
    let done = 0
    let deadline = 0
    while (done < data.length) {
      try {
        done += writeSync(this.#fd, data, done, data.length - done)
      } catch (error) {
        if (!isTryAgain(error)) return false
        // Somebody who shares the stream has made it non-blocking and its reader is behind.
        const now = Date.now()
        if (deadline === 0) deadline = now + patience
        else if (now > deadline) return false
        Atomics.wait(sleeper, 0, 0, 2)
      }
    }
    return true
  }

  /**
   * Opens the file anew under its name, after it was moved away by a log rotation. Standard streams
   * stay as they are.
   *
   * @returns the descriptor that is no longer used, which the caller closes when nothing writes to
   * it any more; undefined for none
   * @throws LogFileError when it cannot be opened; then the old one stays in use
   */
  replace(): number | undefined {
    if (this.path === '-') return undefined
    const old = this.#fd
    this.#fd = this.#open()
    return old
  }

  close(): void {
    if (this.path !== '-') closeSync(this.#fd)
  }

  #open(): number {
    if (this.path === '-') return this.#standard
    try {
      return openSync(this.path, 'a')
    } catch (error) {
      throw new LogFileError(`Cannot open log file ${JSON.stringify(this.path)}: ${reason(error)}`)
    }
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4))

function isTryAgain(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}

function reason(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'ENOENT':
      return 'its folder does not exist'
    case 'EISDIR':
      return 'it is a folder'
    case 'ENOTDIR':
      return 'a part of its path is not a folder'
    case 'EROFS':
      return 'the file system is read-only'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}
