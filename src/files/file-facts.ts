import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'

/** A content coding of files that were compressed in advance. */
export type PrecompressedEncoding = 'br' | 'zstd' | 'gzip'

/** The codings in order of preference, with the ends of the names of compressed files. */
export const EXTENSIONS: Readonly<Record<PrecompressedEncoding, string>> = {
  br: '.br',
  zstd: '.zst',
  gzip: '.gz',
}

/** The validators of a file (RFC 9110 §8.8). */
export interface FileValidators {
  readonly etag: string
  readonly lastModified: string
}

/**
 * The validators of a file. The ETag is strong, as ranges require, unless the file was changed less
 * than a second ago, when it could change again without any difference in size, time and inode (RFC
 * 9110 §8.8.1). It is hashed to hide the number of the inode.
 *
 * @param now milliseconds since 1970
 */
export function validatorsOf(
  stat: BigIntStats,
  encoding: PrecompressedEncoding | null,
  now = Date.now(),
): FileValidators {
  const { size, mtimeNs, ctimeNs, ino } = stat
  const state = `${size} ${mtimeNs} ${ctimeNs} ${ino} ${encoding ?? ''}`
  const tag = createHash('sha256').update(state).digest('base64url').slice(0, 22)
  // A time in the future counts as now: RFC 9110 §8.8.2.1 forbids it in Last-Modified.
  const changed = Number(stat.mtimeMs)
  return {
    etag: changedJustNow(stat, now) ? `W/"${tag}"` : `"${tag}"`,
    lastModified: new Date(Math.min(changed, now)).toUTCString(),
  }
}

/** Whether a file was changed so recently that another change may leave its time as it is. */
export function changedJustNow(stat: BigIntStats, now = Date.now()): boolean {
  return now - Number(stat.mtimeMs) < 1000
}
