import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/** Pieces of a snapshot that are all zero become holes of the file. Their size in bytes. */
const PIECE = 64 * 1024

// The header of a file: MAGIC, the key, the length and the checksum of the snapshot.
const MAGIC = Buffer.from('MONOSNAP')
const KEY = 8
const LENGTH = 40
const CHECKSUM = 48
const HEADER = 64

/** Memory that can be released at once. ECMAScript 2024; Node 20 has this part of it. */
export type ResizableBuffer = ArrayBuffer & { resize(length: number): void }
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { readonly maxByteLength: number },
) => ResizableBuffer

/**
 * A snapshot in the cache must not be used, or none can be written. The message says which, and
 * why.
 */
export class CacheError extends Error {
  override readonly name = 'CacheError'
}

/** The contents of a file's header. */
export interface SnapshotHeader {
  readonly length: number
  readonly checksum: number
}

/**
 * Reads the header.
 *
 * @param size of the file, in bytes
 * @throws CacheError if it is not that of a complete snapshot with this key
 */
export async function readHeader(
  file: FileHandle,
  key: string,
  size: number,
  path: string,
): Promise<SnapshotHeader> {
  const head = Buffer.alloc(HEADER)
  await fill(file, head, 0)
  const length = Number(head.readBigUInt64LE(LENGTH))
  const whole = head.subarray(0, 8).equals(MAGIC) && length > 0 && length === size - HEADER
  if (!whole || head.toString('hex', KEY, LENGTH) !== key)
    throw new CacheError(`${path}: it is damaged`)
  return { length, checksum: head.readUInt32LE(CHECKSUM) }
}

/**
 * Reads the snapshot after the header.
 *
 * @throws CacheError if the checksum is wrong or there is not enough memory
 */
export async function readContents(
  file: FileHandle,
  { length, checksum }: SnapshotHeader,
  path: string,
): Promise<Uint8Array<ResizableBuffer>> {
  const bytes = new Uint8Array(allocate(length, path))
  await fill(file, bytes, HEADER)
  if (crc32(bytes) !== checksum) throw new CacheError(`${path}: it is damaged`)
  return bytes
}

/** Writes a snapshot to a new file. The header is written last. */
export async function writeSnapshot(
  file: FileHandle,
  key: string,
  snapshot: SharedArrayBuffer,
): Promise<void> {
  const bytes = new Uint8Array(snapshot)
  const head = Buffer.alloc(HEADER)
  MAGIC.copy(head)
  head.write(key, KEY, 'hex')
  head.writeBigUInt64LE(BigInt(bytes.length), LENGTH)
  head.writeUInt32LE(crc32(bytes), CHECKSUM)
  for (const [start, end] of occupied(snapshot))
    await drain(file, bytes.subarray(start, end), HEADER + start)
  await file.truncate(HEADER + bytes.length)
  await drain(file, head, 0)
}

/**
 * Releases the memory of a snapshot that was read, at once: a thread that runs Python collects no
 * garbage for a long time.
 */
export function releaseSnapshot(snapshot: Uint8Array<ResizableBuffer>): void {
  snapshot.buffer.resize(0)
}

/**
 * The parts of a snapshot that are not zero, as [start, end). About 40 % of it is memory that was
 * never used.
 */
export function occupied(snapshot: SharedArrayBuffer): [number, number][] {
  const words = new BigUint64Array(snapshot, 0, Math.floor(snapshot.byteLength / 8))
  const parts: [number, number][] = []
  for (let start = 0; start < snapshot.byteLength; start += PIECE) {
    const end = Math.min(start + PIECE, snapshot.byteLength)
    const zero = end % 8 === 0 && words.subarray(start / 8, end / 8).every((word) => word === 0n)
    if (zero) continue
    const last = parts.at(-1)
    if (last !== undefined && last[1] === start) last[1] = end
    else parts.push([start, end])
  }
  return parts
}

/** Reads a file from `position`, until `into` is full or the file ends. */
export async function fill(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) return
    done += bytesRead
  }
}

/** Writes all of `from` to a file at `position`. */
export async function drain(file: FileHandle, from: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < from.length)
    done += (await file.write(from, done, from.length - done, position + done)).bytesWritten
}

/** The length comes from the file, which has not been verified yet. */
function allocate(length: number, path: string): ResizableBuffer {
  try {
    return new ResizableBuffer(length, { maxByteLength: length })
  } catch {
    throw new CacheError(`${path}: there is no memory for its ${length} bytes`)
  }
}
