import type { FileHandle } from 'node:fs/promises'

/**
 * Part of a body: bytes as they are, or those of the file from `start` up to, and without, `end`.
 */
export type Segment = Uint8Array | { readonly start: number; readonly end: number }

/** Each costs a turn of node's thread pool; one at a time is what a slow client holds. */
const PIECE = 256 * 1024

/**
 * A body out of an open file: read a piece at a time, when the server asks for it. `close()` closes
 * the file, once, also while a piece is being read.
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

  /** Waits for a read that is under way. */
  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }
}

/** Reads that many bytes. @throws Error where the file ends before */
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
  // Not from the pool that Node cuts small buffers out of: the server may keep it for as long as
  // the client takes.
  const buffer = Buffer.allocUnsafeSlow(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  if (bytesRead === 0)
    throw new Error('staticFiles: the file became shorter than it was when its response began')
  return bytesRead === length ? buffer : buffer.subarray(0, bytesRead)
}
