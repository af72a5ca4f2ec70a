const INTERRUPT = 0x03
const END = 0x04
const BACKSPACE = 0x08
const DELETE = 0x7f
const KILL = 0x15
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * A line that is typed without being shown: a terminal that shows nothing edits nothing either, so
 * the keys that edit are obeyed here.
 */
export class TypedLine {
  #bytes: number[] = []

  /**
   * Takes what was typed.
   *
   * @returns the line with its newline, once it is complete; nothing (0 bytes) for Ctrl-D on an
   * empty line; `interrupt` for Ctrl-C; null while there is more to come. What follows the end of
   * the line is lost, as a terminal loses it when echoing is switched.
   */
  type(typed: Uint8Array): Buffer | 'interrupt' | null {
    for (const byte of typed) {
      if (byte === INTERRUPT) return 'interrupt'
      if (byte === NEWLINE || byte === RETURN) return Buffer.from([...this.#bytes, NEWLINE])
      if (byte === END) {
        if (this.#bytes.length === 0) return Buffer.alloc(0)
      } else if (byte === KILL) this.#bytes = []
      else if (byte === BACKSPACE || byte === DELETE) this.#erase()
      else this.#bytes.push(byte)
    }
    return null
  }

  /** Takes the last character away, all bytes of its UTF-8. */
  #erase(): void {
    let byte = this.#bytes.pop()
    while (byte !== undefined && (byte & 0xc0) === 0x80) byte = this.#bytes.pop()
  }
}
