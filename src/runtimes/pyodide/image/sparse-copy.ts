/** Memory is looked at in pieces of so many bytes, four of the system's pages. */
const PIECE = 16 * 1024
const zeros = new Uint8Array(PIECE)

/**
 * Lets Pyodide copy a snapshot into an interpreter's memory without what is zero in both, four
 * tenths of it: who writes a zero has the page. For `_loadSnapshot`; Pyodide takes the snapshot's
 * head from it with one call of `subarray`, and all that follows with another, which is answered by
 * doing the work.
 *
 * @param memory of the interpreter, asked for when there is one
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
    // Reading memory that nobody has written to takes none.
    if (!isZero(piece) || !isZero(to.subarray(start, end))) to.set(piece, start)
  }
}

function isZero(piece: Uint8Array): boolean {
  return Buffer.compare(piece, zeros.subarray(0, piece.length)) === 0
}
