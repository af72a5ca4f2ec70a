import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { CodedError, coded } from '../messages/coded.ts'

/** Thrown if a log file cannot be opened. `message` is for the user. */
export class LogFileError extends CodedError {
  readonly code = 'log-file'
}

const STREAMS: Readonly<Record<string, 1 | 2>> = { '/dev/stdout': 1, '/dev/stderr': 2 }

/** What became of one attempt to write. */
export type WriteOutcome =
  /** All of it is written. */
  | 'written'
  /** It was not possible: the disk is full, the reader is gone. */
  | 'failed'
  /** The pipe is full. This many bytes are written. */
  | number

/**
 * A file, or a standard stream of the process, to which log entries are appended.
 *
 * Several processes can append to one file: entries that are written with one call are not mixed.
 *
 * A standard stream that is a pipe is opened a second time, without blocking: if its reader stalls,
 * a write must not hold up the process. The stream itself stays as it is, because other processes
 * share it.
 */
export class LogFile {
  readonly path: string
  readonly #standard: 1 | 2
  #fd: number

  /**
   * @param path a file, or `-` for the standard stream. `/dev/stdout` and `/dev/stderr` are the
   * streams themselves: one that is a socket, as under systemd, cannot be opened by its name.
   * @param standard the file descriptor that `-` stands for: 1 or 2
   * @throws LogFileError if the file cannot be opened
   */
  constructor(path: string, standard: 1 | 2) {
    const named = STREAMS[path]
    this.path = named === undefined ? path : '-'
    this.#standard = named ?? standard
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

  /** Appends `data` from `start` on, if there is space. Never throws, and waits for no reader. */
  tryWrite(data: Uint8Array, start = 0): WriteOutcome {
    let done = start
    while (done < data.length) {
      try {
        done += writeSync(this.#fd, data, done, data.length - done)
      } catch (error) {
        return isTryAgain(error) ? done - start : 'failed'
      }
    }
    return 'written'
  }

  /**
   * Appends all of `data`, and waits for a slow reader until `deadline`, a time of `Date.now()`.
   * For the end of a process; never throws.
   *
   * @returns false if that was not possible
   */
  writeUntil(deadline: number, data: Uint8Array): boolean {
    for (let done = 0; ; ) {
      const outcome = this.tryWrite(data, done)
      if (typeof outcome === 'string') return outcome === 'written'
      done += outcome
      if (Date.now() >= deadline) return false
      Atomics.wait(SLEEPER, 0, 0, 2)
    }
  }

  /**
   * Opens the file again under its name, after log rotation has renamed it. Standard streams and
   * pipes stay as they are.
   *
   * @returns the old descriptor, which the caller closes when nothing writes to it any more;
   * undefined if there is none
   * @throws LogFileError if it cannot be opened; then the old one stays in use
   */
  replace(): number | undefined {
    if (this.path === '-' || isPipe(this.#fd)) return undefined
    const old = this.#fd
    this.#fd = this.#open()
    return old
  }

  close(): void {
    if (this.#fd !== this.#standard) closeSync(this.#fd)
  }

  #open(): number {
    if (this.path === '-') return ownPipe(this.#standard) ?? this.#standard
    try {
      const fd = openSync(this.path, 'a')
      const pipe = ownPipe(fd)
      if (pipe !== null) closeSync(fd)
      return pipe ?? fd
    } catch (error) {
      throw new LogFileError(
        coded('MONO8001', `Cannot open log file ${JSON.stringify(this.path)}: ${reason(error)}`),
      )
    }
  }
}

/**
 * Another way into the pipe behind a descriptor, which does not block; null if it is no pipe, or
 * cannot be opened (it belongs to another user, or there is no /proc).
 */
function ownPipe(fd: number): number | null {
  try {
    if (!isPipe(fd)) return null
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return null
  }
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO()
  } catch {
    return false
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
