import type { Bytes, InputStream } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * The body of a request ended early: the client went away, or the server refused the body. Its
 * `code` is `input-broken`.
 */
export class InputError extends Error {
  readonly code = 'input-broken'

  constructor(message: string) {
    super(message)
    this.name = 'InputError'
  }
}

/** The source of an input stream's bytes. It is asked for one piece at a time. */
export interface ByteSource {
  /**
   * The next piece, which is not empty, or null at the end.
   *
   * @throws InputError (as a rejection) if the body ends early
   */
  next(): Promise<Bytes | null>
}

const NOTHING = new Uint8Array(0)
const LF = 10
const PIECE = 64 * 1024
/**
 * Pieces of fewer bytes are copied together. A piece of one byte would take a hundred bytes of
 * memory, and could keep the whole buffer of a socket alive.
 */
const SMALL = 1024
/** The size of a buffer for small pieces, in bytes. */
const HEAP = 16 * 1024

/**
 * A `wsgi.input` that reads from any source of bytes. It keeps the bytes that it has fetched and
 * not given yet, and fetches no more than it needs. Reads that begin while another is pending are
 * done in order.
 *
 * @example
 * const input = new RequestInput(bytesSource(new TextEncoder().encode('a\nb')))
 * await input.readline() // the bytes of 'a\n'
 */
export class RequestInput implements InputStream {
  readonly #source: ByteSource
  readonly #chunks: Bytes[] = []
  #length = 0
  #ended = false
  /**
   * The error of the source. Every later read fails with it, so that no reader takes the missing
   * bytes for the end of the body.
   */
  #error: { readonly error: unknown } | null = null
  /** The buffer for small pieces. While it is not null, the last chunk is a view of its end. */
  #heap: Bytes | null = null
  #heaped = 0
  #last: Promise<unknown> | null = null

  constructor(source: ByteSource) {
    this.#source = source
  }

  read(size = -1): Promise<Bytes> {
    return this.#inTurn('read', size, () => this.#read(size))
  }

  read1(size = -1): Promise<Bytes> {
    return this.#inTurn('read1', size, async () => {
      if (size === 0) return NOTHING
      if (this.#length === 0) await this.#fetch()
      const first = this.#chunks[0]
      if (first === undefined) return NOTHING
      return this.#take(size < 0 ? first.length : Math.min(size, first.length))
    })
  }

  readline(size = -1): Promise<Bytes> {
    return this.#inTurn('readline', size, () => this.#readline(size))
  }

  readlines(hint = -1): Promise<Bytes[]> {
    return this.#inTurn('readlines', hint, () => readLines(() => this.#readline(-1), hint))
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes> {
    return eachLine(() => this.readline())
  }

  #inTurn<T>(method: string, size: number, read: () => Promise<T>): Promise<T> {
    if (!Number.isInteger(size) && size !== Number.POSITIVE_INFINITY) return badSize(method, size)
    const result = this.#last === null ? read() : this.#last.then(read, read)
    this.#last = result
    const over = () => {
      if (this.#last === result) this.#last = null
    }
    result.then(over, over)
    return result
  }

  async #read(size: number): Promise<Bytes> {
    while (!this.#ended && (size < 0 || this.#length < size)) await this.#fetch()
    return this.#take(size < 0 ? this.#length : Math.min(size, this.#length))
  }

  async #readline(size: number): Promise<Bytes> {
    if (size === 0) return NOTHING
    let index = 0
    let searched = 0 // bytes of that chunk, which may grow while more is fetched
    let before = 0 // bytes of the chunks before it
    for (;;) {
      while (index < this.#chunks.length) {
        const chunk = this.#chunks[index]!
        const at = chunk.indexOf(LF, searched)
        if (at !== -1) return this.#take(within(before + at + 1, size))
        searched = chunk.length
        if (size >= 0 && before + searched >= size) return this.#take(size)
        if (index === this.#chunks.length - 1) break
        before += searched
        searched = 0
        index++
      }
      if (this.#ended) return this.#take(within(this.#length, size))
      await this.#fetch()
    }
  }

  async #fetch(): Promise<void> {
    if (this.#error !== null) throw this.#error.error
    if (this.#ended) return
    let chunk: Bytes | null
    try {
      chunk = await this.#source.next()
    } catch (error) {
      this.#error = { error }
      throw error
    }
    if (chunk === null) {
      this.#ended = true
      return
    }
    this.#length += chunk.length
    if (!this.#heapUp(chunk)) this.#chunks.push(chunk)
  }

  /** Appends a small piece to the last chunk. @returns false if it must be a chunk of its own */
  #heapUp(chunk: Bytes): boolean {
    const end = this.#chunks.length - 1
    const last = this.#chunks[end]
    if (last === undefined || chunk.length >= SMALL) {
      this.#heap = null
      return false
    }
    let heap = this.#heap
    if (heap === null || this.#heaped + chunk.length > HEAP) {
      this.#heap = null
      if (last.length >= SMALL) return false
      heap = new Uint8Array(HEAP)
      heap.set(last)
      this.#heap = heap
      this.#heaped = last.length
    }
    // Bytes that were taken lie before the chunk and are not written to.
    const start = this.#heaped - last.length
    heap.set(chunk, this.#heaped)
    this.#heaped += chunk.length
    this.#chunks[end] = heap.subarray(start, this.#heaped)
    return true
  }

  /** Takes bytes that were fetched. */
  #take(size: number): Bytes {
    if (size === 0) return NOTHING
    this.#length -= size
    const first = this.#chunks[0]!
    if (first.length > size) {
      this.#chunks[0] = first.subarray(size)
      return first.subarray(0, size)
    }
    if (first.length === size) {
      this.#chunks.shift()
      return first
    }
    const taken = new Uint8Array(size)
    let at = 0
    let used = 0
    for (const chunk of this.#chunks) {
      if (size - at < chunk.length) break
      taken.set(chunk, at)
      at += chunk.length
      used++
    }
    this.#chunks.splice(0, used)
    if (at < size) {
      const next = this.#chunks[0]!
      taken.set(next.subarray(0, size - at), at)
      this.#chunks[0] = next.subarray(size - at)
    }
    return taken
  }
}

/** Implements `readlines(hint)` with `readline()`. */
export async function readLines(readline: () => Promise<Bytes>, hint: number): Promise<Bytes[]> {
  const lines: Bytes[] = []
  let total = 0
  for (;;) {
    const line = await readline()
    if (line.length === 0) return lines
    lines.push(line)
    total += line.length
    if (hint > 0 && total >= hint) return lines
  }
}

/** Implements the iteration of an input stream with `readline()`. */
export async function* eachLine(
  readline: () => Promise<Bytes>,
): AsyncGenerator<Bytes, void, undefined> {
  for (;;) {
    const line = await readline()
    if (line.length === 0) return
    yield line
  }
}

function badSize(method: string, size: unknown): Promise<never> {
  const hint = Number.isNaN(size) ? '; was CONTENT_LENGTH absent when it was computed?' : ''
  return Promise.reject(
    new WSGIError(
      'Input and Error Streams',
      `wsgi.input.${method}() takes a whole number of bytes, or no argument for all, ` +
        `not ${describeValue(size)}${hint}`,
    ),
  )
}

function within(length: number, size: number): number {
  return size < 0 ? length : Math.min(length, size)
}

/** A source that gives bytes from memory. */
export function bytesSource(bytes: Bytes): ByteSource {
  let left: Bytes | null = bytes.length === 0 ? null : bytes
  return {
    next: () => {
      const next = left
      left = null
      return Promise.resolve(next)
    },
  }
}

/** A source that gives the pieces of an iterable, such as a stream. */
export function iterableSource(pieces: AsyncIterable<Bytes> | Iterable<Bytes>): ByteSource {
  let iterator: AsyncIterator<Bytes> | Iterator<Bytes> | undefined
  return {
    next: async () => {
      iterator ??=
        Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]()
      for (;;) {
        const step = await iterator.next()
        if (step.done === true) return null
        if (step.value.length > 0) return step.value
      }
    },
  }
}

/** An empty body. It has no state, so all requests share it. */
export const emptyInput: InputStream = {
  read: () => Promise.resolve(NOTHING),
  read1: () => Promise.resolve(NOTHING),
  readline: () => Promise.resolve(NOTHING),
  readlines: () => Promise.resolve([]),
  async *[Symbol.asyncIterator]() {},
}

/**
 * Iterates over the pieces of a request's body as they arrive. Use it to stream a body that is not
 * made of lines.
 *
 * @param size the most bytes of one piece. Defaults to 64 KiB
 * @throws InputError (as a rejection) if the client goes away before its body is complete
 * @example
 * for await (const piece of readChunks(environ['wsgi.input'])) hash.update(piece)
 */
export async function* readChunks(
  input: InputStream,
  size = PIECE,
): AsyncGenerator<Bytes, void, undefined> {
  for (;;) {
    const piece = await (input.read1 === undefined ? input.read(size) : input.read1(size))
    if (piece.length === 0) return
    yield piece
  }
}
