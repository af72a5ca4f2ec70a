const HEAD = 'Traceback (most recent call last):'
/** Longer tracebacks are not kept; in lines. */
const MOST_LINES = 400

/**
 * Finds tracebacks in what a Python application prints to standard error. Flask and Django answer
 * errors themselves, and print them.
 */
export class PrintedTracebacks {
  readonly #found: (text: string) => void
  #lines: string[] | null = null

  /** @param found called with each traceback, when its last line was printed */
  constructor(found: (text: string) => void) {
    this.#found = found
  }

  /** A line, without its end. */
  line(line: string): void {
    const lines = this.#lines
    if (line.endsWith(HEAD)) {
      this.#lines = [HEAD]
    } else if (lines !== null) {
      lines.push(line)
      if (lines.length > MOST_LINES) this.#lines = null
      else if (/^[^\s]/.test(line)) {
        this.#lines = null
        this.#found(lines.join('\n'))
      }
    }
  }
}
