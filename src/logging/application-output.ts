/** Text that an application prints, cut into lines. */

/** The longest line that is passed on in one piece, in bytes. */
const longestLine = 64 * 1024
/**
 * A line that its program flushed without ending it is delivered when nothing more comes for this
 * long, in milliseconds.
 */
const unfinishedAfter = 200
const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Cuts what comes out of a pipe into lines, whichever way the pipe splits it.
 *
 * What stands for 200 ms without a line end (a prompt, a flushed part of a line) is delivered as a
 * line. Lines end with LF or CRLF, which are taken off; bytes are UTF-8 (what is not becomes
 * U+FFFD). A line over 64 KiB comes in pieces, of which all but the last end with ` [...]` and all
 * but the first begin with `[...] `, so that memory stays bounded.
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

  /**
   * Takes the next bytes, and delivers the lines that are complete with them. The chunk is not kept
   * but copied where needed.
   */
  push(chunk: Buffer): void {
    clearTimeout(this.#unfinished)
    let start = 0
    while (start < chunk.length) {
      const end = chunk.indexOf(lineFeed, start)
      if (end === -1) {
        this.#keep(Buffer.from(chunk.subarray(start)))
        this.#unfinished = setTimeout(() => this.end(), unfinishedAfter).unref()
        return
      }
      this.#keep(chunk.subarray(start, end))
      this.#finish()
      start = end + 1
    }
  }

  /** Delivers the last line where it has no line end. */
  end(): void {
    clearTimeout(this.#unfinished)
    if (this.#length > 0 || this.#continued) this.#finish()
  }

  #keep(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#length += bytes.length
    // The one byte more is for a CR that may yet turn out to belong to the line end.
    if (this.#length <= longestLine + 1) {
      // A program that prints byte by byte must not cost a buffer for each.
      if (this.#parts.length >= 256) this.#parts = [Buffer.concat(this.#parts)]
      return
    }
    let rest = Buffer.concat(this.#parts)
    while (rest.length > longestLine + 1) {
      const cut = characterStart(rest, longestLine)
      this.#deliver(`${this.#continued ? '[...] ' : ''}${rest.toString('utf8', 0, cut)} [...]`)
      this.#continued = true
      rest = rest.subarray(cut)
    }
    this.#parts = [rest]
    this.#length = rest.length
  }

  #finish(): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    const end =
      bytes.length > 0 && bytes[bytes.length - 1] === carriageReturn
        ? bytes.length - 1
        : bytes.length
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
