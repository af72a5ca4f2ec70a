import type { InputStream } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * The request's body did not come to its end: the client went away, or what it sent was refused.
 */
export class InputError extends Error {
  readonly code = 'input-broken'

  constructor(message: string) {
    super(message)
    this.name = 'InputError'
  }
}

/** Where an input stream's bytes come from. It is asked for one piece at a time. */
export interface ByteSource {
  /**
   * The next piece, not empty; null at the end. @throws InputError (as a rejection) where there is
   * no end
   */
  next(): Promise<Uint8Array | null>
}

const NOTHING = new Uint8Array(0)
const LF = 10
const PIECE = 64 * 1024
/**
 * Smaller pieces than this are put together: one of a byte would cost a hundred, and may hold on to
 * a socket's whole buffer.
 */
const SMALL = 1024
/** In heaps of this many bytes. */
const HEAP = 16 * 1024

/**
 * `wsgi.input` over any source of bytes. It keeps what it has fetched and not given, and asks for
 * no more than it needs. Reads that are begun while another is under way come after it.
 *
 * @example
 * const input = new RequestInput(bytesSource(new TextEncoder().encode('a\nb')))
 * await input.readline() // the bytes of 'a\n'
 */
export class RequestInput implements InputStream {
  readonly #source: ByteSource
  readonly #chunks: Uint8Array[] = []
  #length = 0
  #ended = false
  /**
   * What the source failed with. It stays so: a second read must not take what is missing for the
   * end.
   */
  #error: { readonly error: unknown } | null = null
  /**
   * Where small pieces are put together; the last chunk is a view of its end while it is not null.
   */
  #heap: Uint8Array | null = null
  #heaped = 0
  #last: Promise<unknown> | null = null

  constructor(source: ByteSource) {
    this.#source = source
  }

  read(size = -1): Promise<Uint8Array> {
    return this.#inTurn('read', size, () => this.#read(size))
  }

  read1(size = -1): Promise<Uint8Array> {
    return this.#inTurn('read1', size, async () => {
      if (size === 0) return NOTHING
      if (this.#length === 0) await this.#fetch()
      const first = this.#chunks[0]
      if (first === undefined) return NOTHING
      return this.#take(size < 0 ? first.length : Math.min(size, first.length))
    })
  }

  readline(size = -1): Promise<Uint8Array> {
    return this.#inTurn('readline', size, () => this.#readline(size))
  }

  readlines(hint = -1): Promise<Uint8Array[]> {
    return this.#inTurn('readlines', hint, () => readLines(() => this.#readline(-1), hint))
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
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

  async #read(size: number): Promise<Uint8Array> {
    while (!this.#ended && (size < 0 || this.#length < size)) await this.#fetch()
    return this.#take(size < 0 ? this.#length : Math.min(size, this.#length))
  }

  async #readline(size: number): Promise<Uint8Array> {
    if (size === 0) return NOTHING
    let index = 0
    let searched = 0 // bytes of that chunk; it may grow while more is fetched
    let before = 0 // bytes of those before it
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
    let chunk: Uint8Array | null
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

  /** Puts a small piece behind another; false where it may stand alone. */
  #heapUp(chunk: Uint8Array): boolean {
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
    // What has been taken of it lies before, and is not touched.
    const start = this.#heaped - last.length
    heap.set(chunk, this.#heaped)
    this.#heaped += chunk.length
    this.#chunks[end] = heap.subarray(start, this.#heaped)
    return true
  }

  /** Takes bytes that are there. */
  #take(size: number): Uint8Array {
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

/** What `readlines(hint)` is, in terms of `readline()`. */
export async function readLines(
  readline: () => Promise<Uint8Array>,
  hint: number,
): Promise<Uint8Array[]> {
  const lines: Uint8Array[] = []
  let total = 0
  for (;;) {
    const line = await readline()
    if (line.length === 0) return lines
    lines.push(line)
    total += line.length
    if (hint > 0 && total >= hint) return lines
  }
}

/** What an input stream gives as an iterable, in terms of `readline()`. */
export async function* eachLine(
  readline: () => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const line = await readline()
    if (line.length === 0) return
    yield line
  }
}

function badSize(method: string, size: unknown): Promise<never> {
  const hint = Number.isNaN(size) ? '; is it made of a CONTENT_LENGTH that is absent?' : ''
  return Promise.reject(
    new WSGIError(
      'Input and Error Streams',
      `${method}() takes a whole number of bytes, or none for all, not ${describeValue(size)}${hint}`,
    ),
  )
}

function within(length: number, size: number): number {
  return size < 0 ? length : Math.min(length, size)
}

/** A source of bytes that are at hand. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  let left: Uint8Array | null = bytes.length === 0 ? null : bytes
  return {
    next: () => {
      const next = left
      left = null
      return Promise.resolve(next)
    },
  }
}

/** A source that asks an iterable, such as a stream, for its pieces. */
export function iterableSource(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): ByteSource {
  let iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined
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

/** The body of a request that has none. It has no state, so one does for all. */
export const emptyInput: InputStream = {
  read: () => Promise.resolve(NOTHING),
  read1: () => Promise.resolve(NOTHING),
  readline: () => Promise.resolve(NOTHING),
  readlines: () => Promise.resolve([]),
  async *[Symbol.asyncIterator]() {},
}

/**
 * The pieces of a request's body as they come, whatever their content: for streaming, where lines
 * mean nothing.
 *
 * @param size the most bytes of one piece
 * @example
 * for await (const piece of readChunks(environ['wsgi.input'])) hash.update(piece)
 */
export async function* readChunks(
  input: InputStream,
  size = PIECE,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const piece = await (input.read1 === undefined ? input.read(size) : input.read1(size))
    if (piece.length === 0) return
    yield piece
  }
}
