/** The most bytes that are joined. */
const MOST_BYTES = 64 * 1024

/**
 * Joins the pieces of an asynchronous body that arrive in quick succession. Compressing a piece by
 * itself costs a turn of the thread pool (about 80 µs) and the start of a block, so that many small
 * pieces become twenty times as large as they would together. Pieces are passed on as soon as the
 * body makes its reader wait, so nothing is delayed (PEP 3333 "Buffering and Streaming").
 *
 * The first piece is passed on by itself, because the head is sent with it.
 *
 * Do not use it for synchronous bodies: their next piece cannot be awaited while earlier ones are
 * sent.
 */
export async function* gathered(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]()
  let waiting: Uint8Array[] = []
  let size = 0
  let over = false
  let first = true
  /** Resolves one turn of the event loop after the first piece that waits. */
  let turn: Promise<null> | null = null
  const flush = () => {
    const whole = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting, size)
    waiting = []
    size = 0
    turn = null
    return whole
  }
  try {
    let next = iterator.next()
    for (;;) {
      // A reader that leaves in the meantime does not await it.
      next.catch(() => {})
      let step: IteratorResult<Uint8Array> | null
      try {
        step = await (turn === null ? next : Promise.race([next, turn]))
      } catch (error) {
        // Earlier pieces must still be sent.
        over = true
        if (size > 0) yield flush()
        throw error
      }
      if (step === null) {
        yield flush()
        continue
      }
      if (step.done === true) {
        over = true
        if (size > 0) yield flush()
        return
      }
      const piece = step.value
      if (
        first ||
        !(piece instanceof Uint8Array) ||
        piece.length === 0 ||
        piece.length >= MOST_BYTES
      ) {
        if (!(piece instanceof Uint8Array) || piece.length > 0) first = false
        if (size > 0) yield flush()
        yield piece
      } else {
        waiting.push(piece)
        size += piece.length
        if (size >= MOST_BYTES) yield flush()
        else turn ??= new Promise((resolve) => setImmediate(resolve, null))
      }
      next = iterator.next()
    }
  } finally {
    if (!over) await iterator.return?.()
  }
}
