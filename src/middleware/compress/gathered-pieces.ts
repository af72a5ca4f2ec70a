/** As much as is put together. */
const MOST_BYTES = 64 * 1024

/**
 * The pieces of an asynchronous body, with those that come in quick succession put together: each
 * that is compressed by itself costs a turn of the thread pool (some 80 µs) and the start of a
 * block, so that many small ones become twenty times as large as they would together. What has come
 * is given as soon as the body makes its reader wait for more, so nothing is delayed for the sake
 * of what follows (PEP 3333 "Buffering and Streaming").
 *
 * The first piece is given by itself: with it the head is sent, and the client's wait is over.
 *
 * Not for bodies that are synchronous: there the next piece cannot be waited for while what has
 * come is sent.
 */
export async function* gathered(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]()
  let waiting: Uint8Array[] = []
  let size = 0
  let over = false
  let first = true
  /** Resolves when the event loop has gone round since the first of those that wait. */
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
      // Whoever leaves while it is under way does not wait for it.
      next.catch(() => {})
      let step: IteratorResult<Uint8Array> | null
      try {
        step = await (turn === null ? next : Promise.race([next, turn]))
      } catch (error) {
        // What came before is still to be sent.
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
