const INTERRUPT = 0x03
const END = 0x04
const BACKSPACE = 0x08
const DELETE = 0x7f
const KILL = 0x15
const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * A line that is typed without an echo. A terminal without echo does not edit the line either, so
 * the editing keys are handled here.
 */
export class TypedLine {
  #bytes: number[] = []

  /**
   * Takes what was typed.
   *
   * @returns the line with its newline when it is complete, 0 bytes for Ctrl-D on an empty line,
   * `interrupt` for Ctrl-C, or null while the line is incomplete. What follows the end of the line
   * is lost, as a terminal loses it when the echo is switched
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

  /** Removes the last character, with all bytes of its UTF-8 form. */
  #erase(): void {
    let byte = this.#bytes.pop()
    while (byte !== undefined && (byte & 0xc0) === 0x80) byte = this.#bytes.pop()
  }
}
