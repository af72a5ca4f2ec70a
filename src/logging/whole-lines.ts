/** The longest beginning of a line that waits for its end, in bytes. */
const LONGEST_LINE = 1024 * 1024
/** A line without a line end is delivered if nothing follows for this time, in milliseconds. */
const UNFINISHED_MS = 1000
const LF = 0x0a

/**
 * Passes on what an application prints, byte for byte, cut only after line ends: the lines of
 * several workers go to the same place, and must not be mixed.
 *
 * What has no line end after a second, or is longer than 1 MiB, is delivered as it is.
 */
export class WholeLines {
  readonly #deliver: (lines: Buffer) => void
  #rest: Buffer[] = []
  #length = 0
  #timer: NodeJS.Timeout | undefined

  /** @param deliver may keep the buffer */
  constructor(deliver: (lines: Buffer) => void) {
    this.#deliver = deliver
  }

  /** Takes the next bytes. The chunk is not kept. */
  push(chunk: Buffer): void {
    clearTimeout(this.#timer)
    const end = chunk.lastIndexOf(LF) + 1
    if (end > 0) {
      this.#rest.push(Buffer.from(chunk.subarray(0, end)))
      this.#flush()
    }
    if (end === chunk.length) return
    this.#rest.push(Buffer.from(chunk.subarray(end)))
    this.#length += chunk.length - end
    if (this.#length > LONGEST_LINE) this.#flush()
    else this.#timer = setTimeout(() => this.#flush(), UNFINISHED_MS).unref()
  }

  /** Delivers what is left, with a line end. */
  end(): void {
    clearTimeout(this.#timer)
    if (this.#rest.length === 0) return
    this.#rest.push(Buffer.from('\n'))
    this.#flush()
  }

  #flush(): void {
    const lines = this.#rest.length === 1 ? this.#rest[0]! : Buffer.concat(this.#rest)
    this.#rest = []
    this.#length = 0
    if (lines.length > 0) this.#deliver(lines)
  }
}
