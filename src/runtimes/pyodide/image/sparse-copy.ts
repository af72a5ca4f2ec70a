/** The size of the pieces that are compared, in bytes: four pages of the system. */
const PIECE = 16 * 1024
const ZEROS = new Uint8Array(PIECE)

/**
 * Makes Pyodide skip the pages that are zero both in a snapshot and in an interpreter's memory,
 * about 40 %: the system allocates a page when anything is written to it, even a zero.
 *
 * Pass the result as `_loadSnapshot`. Pyodide reads the snapshot's head with one call of
 * `subarray`, and the rest with another. That second call copies the pages.
 *
 * @param memory returns the interpreter's memory; called when it exists
 */
export function copySparsely<Snapshot extends Uint8Array>(
  snapshot: Snapshot,
  memory: () => Uint8Array,
): Snapshot {
  const subarray = (begin?: number, end?: number) => {
    const part = Uint8Array.prototype.subarray.call(snapshot, begin, end)
    if (end !== undefined) return part
    copyPieces(part, memory())
    return part.subarray(part.length)
  }
  return Object.defineProperty(snapshot, 'subarray', { value: subarray })
}

function copyPieces(from: Uint8Array, to: Uint8Array): void {
  for (let start = 0; start < from.length; start += PIECE) {
    const end = Math.min(start + PIECE, from.length)
    const piece = from.subarray(start, end)
    // Reading a page that was never written to does not allocate it.
    if (!isZero(piece) || !isZero(to.subarray(start, end))) to.set(piece, start)
  }
}

function isZero(piece: Uint8Array): boolean {
  return Buffer.compare(piece, ZEROS.subarray(0, piece.length)) === 0
}
