import type { BigIntStats, Stats } from 'node:fs'
import type { Emscripten, NewAttributes } from './emscripten.ts'

/** Options of node:fs for a `stat` with 64-bit numbers. */
export const STAT = { bigint: true } as const
/** The same, with undefined in place of an exception if there is no such file. */
export const STAT_OR_NOTHING = { bigint: true, throwIfNoEntry: false } as const

/**
 * The result of a `stat` in the form that Emscripten expects. One is made for each `stat`, and
 * usually only `exact` is read, so the other properties are computed on demand.
 */
export class Attributes {
  readonly exact: BigIntStats

  constructor(exact: BigIntStats) {
    this.exact = exact
  }

  get dev(): number {
    return Number(this.exact.dev)
  }

  get ino(): number {
    return Number(this.exact.ino)
  }

  get mode(): number {
    return Number(this.exact.mode)
  }

  get nlink(): number {
    return Number(this.exact.nlink)
  }

  get uid(): number {
    return Number(this.exact.uid)
  }

  get gid(): number {
    return Number(this.exact.gid)
  }

  get rdev(): number {
    return Number(this.exact.rdev)
  }

  get size(): number {
    return Number(this.exact.size)
  }

  get atime(): Date {
    return this.exact.atime
  }

  get mtime(): Date {
    return this.exact.mtime
  }

  get ctime(): Date {
    return this.exact.ctime
  }

  get blksize(): number {
    return Number(this.exact.blksize)
  }

  get blocks(): number {
    return Number(this.exact.blocks)
  }
}

/** Writes Emscripten's `struct stat`, with times in nanoseconds. */
export function writeStat(emscripten: Emscripten, pointer: number, status: BigIntStats): void {
  const { HEAPU32, HEAP64 } = emscripten
  const word = pointer >>> 2
  const long = pointer >>> 3
  HEAPU32[word] = Number(BigInt.asUintN(32, status.dev))
  HEAPU32[word + 1] = Number(status.mode)
  HEAPU32[word + 2] = Number(status.nlink)
  HEAPU32[word + 3] = Number(status.uid)
  HEAPU32[word + 4] = Number(status.gid)
  HEAPU32[word + 5] = Number(BigInt.asUintN(32, status.rdev))
  HEAP64[long + 3] = status.size
  HEAPU32[word + 8] = Number(status.blksize)
  HEAPU32[word + 9] = Number(BigInt.asUintN(32, status.blocks))
  writeTime(emscripten, pointer + 40, status.atimeNs)
  writeTime(emscripten, pointer + 56, status.mtimeNs)
  writeTime(emscripten, pointer + 72, status.ctimeNs)
  HEAP64[long + 11] = BigInt.asIntN(64, status.ino)
}

function writeTime({ HEAPU32, HEAP64 }: Emscripten, pointer: number, nanoseconds: bigint): void {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  HEAP64[pointer >>> 3] = (nanoseconds - rest) / 1_000_000_000n
  HEAPU32[(pointer + 8) >>> 2] = Number(rest)
}

/**
 * The access and the modification time for node:fs, in seconds.
 *
 * @param current called for the time that is not changed
 * @returns null if neither time is changed
 */
export function timesOf(
  attributes: NewAttributes,
  current: () => Stats,
): [number | Date, number | Date] | null {
  const { atime, mtime } = attributes
  if (typeof atime !== 'number' && typeof mtime !== 'number') return null
  const kept = typeof atime === 'number' && typeof mtime === 'number' ? null : current()
  return [
    hostTime(atime ?? (kept?.atimeMs as number)),
    hostTime(mtime ?? (kept?.mtimeMs as number)),
  ]
}

/** Node takes a negative number as the current time, but accepts a date before 1970. */
function hostTime(milliseconds: number): number | Date {
  return milliseconds < 0 ? new Date(milliseconds) : milliseconds / 1000
}
