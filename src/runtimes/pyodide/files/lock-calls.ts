import * as fs from 'node:fs'
import { claimLink } from '../locks/claim-links.ts'
import { type FileIdentity, flockIdentity, keyOf } from '../locks/file-identity.ts'
import type { FileLocks } from '../locks/file-locks.ts'
import { END_OF_FILE, type LockKind } from '../locks/lock-table.ts'
import { STAT, STAT_OR_NOTHING } from './attributes.ts'
import { ACCESS, type Emscripten, type FileStream, isErrnoError } from './emscripten.ts'
import type { HostCalls } from './host-calls.ts'
import { DESCRIPTORS, type MountedDisk, VERIFIABLE } from './mounted-disk.ts'
import { fromHost, toHost } from './path-bytes.ts'

// Commands of fcntl in Emscripten, and the types in its struct flock.
export const SET_FLAGS = 4
const GET_LOCK = 12
const SET_LOCK = 13
const SET_LOCK_WAITING = 14
const READ_LOCK = 0
const WRITE_LOCK = 1
const UNLOCK = 2

const WHOLE = { start: 0n, end: END_OF_FILE }

/** The system calls that lock files: fcntl's F_GETLK, F_SETLK and F_SETLKW, and `flock`. */
export class LockCalls {
  /** Null: Pyodide's behaviour, where every lock succeeds. */
  readonly #locks: FileLocks | null
  readonly #emscripten: Emscripten
  readonly #disk: MountedDisk
  readonly #calls: HostCalls
  /**
   * The owners of `flock` locks by file. An owner is not an interpreter but an open file, which
   * duplicated descriptors share.
   */
  readonly #flocks = new Map<string, Map<FileStream['shared'], LockKind>>()

  constructor(emscripten: Emscripten, disk: MountedDisk, locks: FileLocks | null) {
    this.#emscripten = emscripten
    this.#disk = disk
    this.#calls = disk.calls
    this.#locks = locks
  }

  /** Locks of files on the disk; `undefined` leaves the call to Emscripten. */
  fcntl(fd: number, command: number, args: number): number | undefined {
    if (command !== GET_LOCK && command !== SET_LOCK && command !== SET_LOCK_WAITING)
      return undefined
    const stream = this.#emscripten.FS.getStream(fd)
    if (this.#locks === null || stream?.nfd === undefined) return undefined
    const pointer = this.#emscripten.HEAPU32[args >>> 2] as number
    const { HEAP16, HEAP64 } = this.#emscripten
    const type = HEAP16[pointer >>> 1] as number
    const whence = HEAP16[(pointer + 2) >>> 1] as number
    let start = HEAP64[(pointer + 8) >>> 3] as bigint
    const length = HEAP64[(pointer + 16) >>> 3] as bigint
    if (whence === 1) start += BigInt(stream.position)
    else if (whence === 2)
      start += this.#calls.run(() => fs.fstatSync(stream.nfd as number, STAT).size)
    else if (whence !== 0) throw this.#calls.error('EINVAL')
    // A negative length is the range before the start; 0 is up to the end, wherever that will be.
    let end = length === 0n ? END_OF_FILE : start + length
    if (length < 0n) [start, end] = [end, start]
    if (start < 0n) throw this.#calls.error('EINVAL')
    if (end > END_OF_FILE) throw this.#calls.error('EOVERFLOW')
    const file = this.#identity(stream)
    const range = { start, end }
    const place = () => this.#claimable(stream)
    if (type === UNLOCK && command !== GET_LOCK)
      return this.#result(this.#locks.unlock(file, range))
    if (type !== READ_LOCK && type !== WRITE_LOCK) throw this.#calls.error('EINVAL')
    const kind = type === READ_LOCK ? 'shared' : 'exclusive'
    if (command !== GET_LOCK) {
      const access = stream.flags & ACCESS
      if (access === (type === READ_LOCK ? 1 : 0)) throw this.#calls.error('EBADF')
      return this.#result(this.#locks.lock(file, range, kind, command === SET_LOCK_WAITING, place))
    }
    const held = this.#locks.conflict(file, range, kind, place)
    HEAP16[pointer >>> 1] = held === null ? UNLOCK : held.kind === 'shared' ? READ_LOCK : WRITE_LOCK
    if (held === null) return 0
    HEAP16[(pointer + 2) >>> 1] = 0
    HEAP64[(pointer + 8) >>> 3] = held.start
    HEAP64[(pointer + 16) >>> 3] = held.end === END_OF_FILE ? 0n : held.end - held.start
    this.#emscripten.HEAP32[(pointer + 24) >>> 2] = held.pid
    return 0
  }

  /**
   * `flock`. A file that is not on the disk belongs to this interpreter alone, so it is never
   * locked by another.
   *
   * @returns 0, or Emscripten's error number
   */
  flock(fd: number, operation: number): number {
    try {
      const stream = this.#emscripten.FS.getStreamChecked(fd)
      if (this.#locks === null || stream.nfd === undefined) return 0
      const { kind, wait } = flockOperation(operation) ?? { kind: undefined, wait: false }
      if (kind === undefined) throw this.#calls.error('EINVAL')
      const file = this.#identity(stream)
      const key = keyOf(file)
      const holders = this.#flocks.get(key) ?? new Map<FileStream['shared'], LockKind>()
      if (kind === null) {
        this.#endFlock(stream)
        return 0
      }
      const others = [...holders]
        .filter(([holder]) => holder !== stream.shared)
        .map(([, held]) => held)
      if (others.includes('exclusive') || (kind === 'exclusive' && others.length > 0)) {
        // The thread would wait for itself.
        throw this.#calls.error(wait ? 'EDEADLK' : 'EAGAIN')
      }
      this.#result(
        this.#locks.lock(flockIdentity(file), WHOLE, kind, wait, () => this.#claimable(stream)),
      )
      this.#flocks.set(key, holders.set(stream.shared, kind))
      return 0
    } catch (error) {
      if (isErrnoError(error)) return error.errno
      throw error
    }
  }

  /**
   * A descriptor of a file is about to be closed.
   *
   * @param last no duplicate of the descriptor remains
   */
  closing(stream: FileStream, last: boolean): void {
    if (this.#locks?.any) this.#locks.closed(this.#identity(stream))
    if (last && this.#flocks.size > 0) this.#endFlock(stream)
  }

  /**
   * Throws EIO if another process was granted the lock on a file because this process did not
   * renew its claim for too long. The file must not be changed any more.
   */
  refuseLost(path: string | undefined): void {
    if (path !== undefined && this.#locks?.any && this.#locks.isLost(path))
      throw this.#calls.error('EIO')
  }

  #endFlock(stream: FileStream): void {
    const file = this.#identity(stream)
    const key = keyOf(file)
    const holders = this.#flocks.get(key)
    if (!holders?.delete(stream.shared) || holders.size > 0) return
    this.#flocks.delete(key)
    this.#locks?.unlock(flockIdentity(file), WHOLE)
  }

  /**
   * The path of an open file if this process may claim it there, that is, if the folder can be
   * changed and the file has not been deleted or replaced.
   */
  #claimable(stream: FileStream): Buffer | null {
    const { host } = stream.node
    if (host === undefined || host.readOnly) return null
    try {
      const bytes = VERIFIABLE
        ? fs.readlinkSync(`${DESCRIPTORS}/${stream.nfd}`, 'buffer')
        : Buffer.from(toHost(host.real))
      const link = fromHost(claimLink(bytes))
      if (!this.#disk.contains(link) || this.#disk.isReadOnly(link)) return null
      const { device, inode } = this.#identity(stream)
      const found = fs.statSync(bytes, STAT_OR_NOTHING)
      return found?.ino === inode && found.dev === device ? bytes : null
    } catch {
      return null
    }
  }

  #identity(stream: FileStream): FileIdentity {
    if (stream.identity === undefined) {
      const status = this.#calls.run(() => fs.fstatSync(stream.nfd as number, STAT))
      stream.identity = { device: status.dev, inode: status.ino }
    }
    return stream.identity
  }

  #result(failure: string | null): number {
    if (failure !== null) throw this.#calls.error(failure)
    return 0
  }
}

/** LOCK_SH, LOCK_EX or LOCK_UN (kind null), with or without LOCK_NB. */
function flockOperation(operation: number): { kind: LockKind | null; wait: boolean } | null {
  const wait = (operation & 4) === 0
  switch (operation & ~4) {
    case 1:
      return { kind: 'shared', wait }
    case 2:
      return { kind: 'exclusive', wait }
    case 8:
      return { kind: null, wait }
    default:
      return null
  }
}
