import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Thrown if a log file cannot be opened. `message` is for the user. */
export class LogFileError extends Error {
  readonly code = 'log-file'
}

/**
 * How long one write waits for a reader that is too slow (a full, non-blocking pipe), in
 * milliseconds.
 */
const PATIENCE_MS = 1000

/**
 * A file, or a standard stream of the process, to which log entries are appended.
 *
 * Several processes can append to one file: entries that are written with one call are not mixed.
 */
export class LogFile {
  readonly path: string
  readonly #standard: 1 | 2
  #fd: number

  /**
   * @param path a file, or `-` for the standard stream
   * @param standard the file descriptor that `-` stands for: 1 or 2
   * @throws LogFileError if the file cannot be opened
   */
  constructor(path: string, standard: 1 | 2) {
    this.path = path
    this.#standard = standard
    this.#fd = this.#open()
  }

  get fd(): number {
    return this.#fd
  }

  /** Whether it is a terminal. */
  get terminal(): boolean {
    return isatty(this.#fd)
  }

  /**
   * The most bytes that one write does not mix with those of other processes: unlimited for a file,
   * PIPE_BUF for a pipe (4096 on Linux, 512 on macOS, which is what POSIX guarantees).
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
   * Appends all of `data`. Never throws: a server goes on if its log cannot be written.
   *
   * @returns false if that was not possible (the disk is full, the reader is gone)
   */
  write(data: Uint8Array): boolean {
    let done = 0
    let deadline = 0
    while (done < data.length) {
      try {
        done += writeSync(this.#fd, data, done, data.length - done)
      } catch (error) {
        if (!isTryAgain(error)) return false
        // Another process has made the shared stream non-blocking, and its reader is too slow.
        const now = Date.now()
        if (deadline === 0) deadline = now + PATIENCE_MS
        else if (now > deadline) return false
        Atomics.wait(SLEEPER, 0, 0, 2)
      }
    }
    return true
  }

  /**
   * Opens the file again under its name, after log rotation has renamed it. Standard streams stay
   * as they are.
   *
   * @returns the old descriptor, which the caller closes when nothing writes to it any more;
   * undefined if there is none
   * @throws LogFileError if it cannot be opened; then the old one stays in use
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

const SLEEPER = new Int32Array(new SharedArrayBuffer(4))

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
