/** Text that an application prints, cut into lines. */

/** The longest line that is delivered in one piece, in bytes. */
const LONGEST_LINE = 64 * 1024
/** A line without a line end is delivered if nothing follows for this time, in milliseconds. */
const UNFINISHED_MS = 200
const LF = 0x0a
const CR = 0x0d

/**
 * Cuts the output of a pipe into lines, however the pipe splits it.
 *
 * Text that has no line end after 200 ms (a prompt, a flushed part of a line) is delivered as a
 * line. Lines end with LF or CRLF, which are removed. Bytes are read as UTF-8; what is not UTF-8
 * becomes U+FFFD. A line over 64 KiB is delivered in pieces, so that memory stays bounded: all
 * except the last end with ` [...]`, and all except the first begin with `[...] `.
 *
 * @example
 * const lines = new LineSplitter((line) => log.output('stderr', line))
 * child.stderr.on('data', (chunk) => lines.push(chunk))
 * child.stderr.on('end', () => lines.end())
 */
export class LineSplitter {
  readonly #deliver: (line: string) => void
  #parts: Buffer[] = []
  #length = 0
  #continued = false
  #unfinished: NodeJS.Timeout | undefined

  constructor(deliver: (line: string) => void) {
    this.#deliver = deliver
  }

  /** Takes the next bytes and delivers the lines that they complete. The chunk is not kept. */
  push(chunk: Buffer): void {
    clearTimeout(this.#unfinished)
    let start = 0
    while (start < chunk.length) {
      const end = chunk.indexOf(LF, start)
      if (end === -1) {
        this.#keep(Buffer.from(chunk.subarray(start)))
        this.#unfinished = setTimeout(() => this.end(), UNFINISHED_MS).unref()
        return
      }
      this.#keep(chunk.subarray(start, end))
      this.#finish()
      start = end + 1
    }
  }

  /** Delivers the last line if it has no line end. */
  end(): void {
    clearTimeout(this.#unfinished)
    if (this.#length > 0 || this.#continued) this.#finish()
  }

  #keep(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
    // The additional byte is for a CR that may belong to the line end.
    if (this.#length <= LONGEST_LINE + 1) {
      // A program that prints byte by byte must not cost a buffer for each.
      if (this.#parts.length >= 256) this.#parts = [Buffer.concat(this.#parts)]
      return
    }
    let rest = Buffer.concat(this.#parts)
    while (rest.length > LONGEST_LINE + 1) {
      const cut = characterStart(rest, LONGEST_LINE)
      this.#deliver(`${this.#continued ? '[...] ' : ''}${rest.toString('utf8', 0, cut)} [...]`)
      this.#continued = true
      rest = rest.subarray(cut)
    }
    this.#parts = [rest]
    this.#length = rest.length
  }

  #finish(): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    const end = bytes.length > 0 && bytes[bytes.length - 1] === CR ? bytes.length - 1 : bytes.length
    const line = bytes.toString('utf8', 0, end)
    const prefix = this.#continued ? '[...] ' : ''
    this.#parts = []
    this.#length = 0
    this.#continued = false
    this.#deliver(prefix + line)
  }
}

/**
 * The last position up to `position` that is not inside a UTF-8 character (whose further bytes are
 * 10xxxxxx, at most three).
 */
function characterStart(bytes: Buffer, position: number): number {
  for (let at = position; at > position - 4; at--) {
    if ((bytes[at]! & 0xc0) !== 0x80) return at
  }
  return position
}
