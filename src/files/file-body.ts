import type { FileHandle } from 'node:fs/promises'
import type { Segment } from './range-content.ts'

/** The bytes of one read: a turn of Node's thread pool, and the memory that a slow client holds. */
const PIECE = 256 * 1024

/**
 * A body that is read from an open file, piece by piece as the server asks for it. `close()` closes
 * the file once, even while a piece is being read.
 */
export class FileBody implements AsyncIterable<Uint8Array> {
  readonly #segments: readonly Segment[]
  #handle: FileHandle | null

  constructor(handle: FileHandle, segments: readonly Segment[]) {
    this.#handle = handle
    this.#segments = segments
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (const segment of this.#segments) {
      if (segment instanceof Uint8Array) {
        yield segment
        continue
      }
      let at = segment.start
      while (at < segment.end) {
        if (this.#handle === null) return
        const piece = await readPiece(this.#handle, at, Math.min(PIECE, segment.end - at))
        at += piece.length
        yield piece
      }
    }
  }

  /** Closes the file after a read that is pending. */
  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }
}

/** Reads a range of a file. @throws Error if the file ends before `end` */
export async function readWhole(
  handle: FileHandle,
  start: number,
  end: number,
): Promise<Uint8Array> {
  const first = await readPiece(handle, start, end - start)
  if (first.length === end - start) return first
  const whole = new Uint8Array(end - start)
  whole.set(first)
  for (let at = first.length; at < whole.length; ) {
    const piece = await readPiece(handle, start + at, whole.length - at)
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

async function readPiece(
  handle: FileHandle,
  position: number,
  length: number,
): Promise<Uint8Array> {
  // Not from Node's pool of small buffers, because the server may keep it as long as a slow client
  // takes.
  const buffer = Buffer.allocUnsafeSlow(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  if (bytesRead === 0) throw new Error('the file was shortened while it was sent')
  return bytesRead === length ? buffer : buffer.subarray(0, bytesRead)
}
