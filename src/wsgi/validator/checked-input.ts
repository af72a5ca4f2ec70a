import { isPromise } from '../body.ts'
import type { Bytes, InputStream } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import { byApplication, byServer } from './violation.ts'

const STREAMS: Rule = 'Input and Error Streams'
const LF = 10

/** Wraps `wsgi.input` to check the calls of the application and the results of the server. */
export class CheckedInput implements InputStream {
  readonly read1?: (size?: number) => Promise<Bytes>
  readonly #input: InputStream
  /** CONTENT_LENGTH: bytes beyond it belong to the next request of the connection. */
  readonly #limit: number
  #given = 0
  #ended = false

  /** @param contentLength the variable CONTENT_LENGTH */
  constructor(input: InputStream, contentLength: string | undefined) {
    this.#input = input
    this.#limit = contentLength ? Number(contentLength) : Number.POSITIVE_INFINITY
    if (input.read1 !== undefined) {
      this.read1 = (...args) => {
        const size = sizeOf('read1', args)
        return this.#bytes(
          'read1',
          size,
          this.#input.read1!(...args),
          (piece) => piece.length === 0 && size !== 0,
        )
      }
    }
  }

  read(...args: [size?: number]): Promise<Bytes> {
    const size = sizeOf('read', args)
    return this.#bytes(
      'read',
      size,
      this.#input.read(...args),
      (piece) => size < 0 || piece.length < size,
    )
  }

  readline(...args: [size?: number]): Promise<Bytes> {
    const size = sizeOf('readline', args)
    return this.#bytes('readline', size, this.#input.readline(...args), (line) => {
      checkLine('readline', line)
      return !endsLine(line) && (size < 0 || line.length < size)
    })
  }

  readlines(...args: [hint?: number]): Promise<Bytes[]> {
    const hint = sizeOf('readlines', args)
    const before = this.#ended
    return promised('readlines', this.#input.readlines(...args)).then((lines: unknown) => {
      if (!Array.isArray(lines)) {
        throw byServer(
          STREAMS,
          `wsgi.input.readlines() must return an array, not ${describeValue(lines)}`,
        )
      }
      let length = 0
      for (const line of lines) {
        checkLine('readlines', checkBytes('readlines', line))
        if (line.length === 0)
          throw byServer(STREAMS, 'wsgi.input.readlines() must not return an empty line')
        length += line.length
      }
      this.#count('readlines', length, before)
      if (hint <= 0 || length < hint) this.#ended = true
      return lines
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes, void, undefined> {
    for await (const line of this.#input as AsyncIterable<unknown>) {
      const bytes = checkBytes('[Symbol.asyncIterator]', line)
      checkLine('[Symbol.asyncIterator]', bytes)
      this.#count('[Symbol.asyncIterator]', bytes.length, this.#ended)
      yield bytes
    }
    this.#ended = true
  }

  #bytes(
    method: string,
    size: number,
    result: unknown,
    isLast: (bytes: Bytes) => boolean,
  ): Promise<Bytes> {
    // The end that other reads have seen counts only for reads that began after it.
    const before = this.#ended
    return promised(method, result).then((value) => {
      const bytes = checkBytes(method, value)
      if (size >= 0 && bytes.length > size) {
        throw byServer(
          STREAMS,
          `wsgi.input.${method}(${size}) returned ${bytes.length} bytes, more than requested`,
        )
      }
      this.#count(method, bytes.length, before)
      if (isLast(bytes)) this.#ended = true
      return bytes
    })
  }

  #count(method: string, length: number, ended: boolean): void {
    if (ended && length > 0) {
      throw byServer(
        STREAMS,
        `wsgi.input.${method}() returned ${length} bytes after the end of the body: an earlier ` +
          'read had returned fewer bytes than requested',
      )
    }
    this.#given += length
    if (this.#given > this.#limit) {
      throw byServer(
        STREAMS,
        `wsgi.input.${method}() read beyond the end of the body: it gave ${this.#given} bytes in ` +
          `all, but CONTENT_LENGTH is ${this.#limit}`,
      )
    }
  }
}

/** Checks the arguments of a read. @returns the size; -1 for none */
function sizeOf(method: string, args: readonly unknown[]): number {
  if (args.length > 1) {
    throw byApplication(
      STREAMS,
      `wsgi.input.${method}() takes at most one argument, not ${args.length}`,
    )
  }
  const size = args[0]
  if (size === undefined) return -1
  if (!Number.isInteger(size)) {
    throw byApplication(
      STREAMS,
      `wsgi.input.${method}() takes a whole number, not ${describeValue(size)}`,
    )
  }
  return size as number
}

function promised(method: string, result: unknown): Promise<unknown> {
  if (isPromise(result)) return result
  throw byServer(
    STREAMS,
    `wsgi.input.${method}() must return a promise, not ${describeValue(result)}`,
  )
}

function checkBytes(method: string, value: unknown): Bytes {
  if (value instanceof Uint8Array) return value as Bytes
  throw byServer(
    STREAMS,
    `wsgi.input.${method}() must give a Uint8Array, not ${describeValue(value)}`,
  )
}

function checkLine(method: string, line: Bytes): void {
  const at = line.indexOf(LF)
  if (at !== -1 && at !== line.length - 1) {
    throw byServer(STREAMS, `wsgi.input.${method}() must give one line at a time, not more`)
  }
}

function endsLine(line: Bytes): boolean {
  return line.at(-1) === LF
}
