import { COMMAND_WORDS, INPUT_STATES } from './command-link.ts'
import { TypedLine } from './typed-line.ts'

/**
 * This process's standard input, for a thread that blocks while it waits. Nothing is read before
 * the thread asks for it, so that a program that does not read leaves the input to others.
 */
export class StandardInput {
  readonly #words: Int32Array
  readonly #area: Uint8Array
  readonly #interrupt: () => void
  #rest: Buffer | null = null
  #over = false
  #failed = false
  #wanted = 0
  /** The line that is typed without an echo; null while the echo is on. */
  #secret: TypedLine | null = null
  #listening = false

  /**
   * @param words {@link COMMAND_WORDS}
   * @param area receives the bytes
   * @param interrupt called for Ctrl-C while the echo is off, when the terminal sends no signal
   */
  constructor(words: Int32Array, area: Uint8Array, interrupt: () => void) {
    this.#words = words
    this.#area = area
    this.#interrupt = interrupt
  }

  /** Gives up to `size` bytes to the thread when there are some. */
  give(size: number): void {
    this.#wanted = size
    this.#listen()
    this.#answer()
  }

  /** Switches the terminal's echo. */
  echo(echo: boolean): void {
    if (process.stdin.isTTY) {
      this.#listen()
      this.#secret = echo ? null : new TypedLine()
      process.stdin.setRawMode(!echo)
    }
    Atomics.add(this.#words, COMMAND_WORDS.switched, 1)
    Atomics.notify(this.#words, COMMAND_WORDS.switched)
  }

  /** Stops reading. */
  end(): void {
    if (!this.#listening) return
    if (this.#secret !== null) process.stdin.setRawMode(false)
    process.stdin.destroy()
  }

  #listen(): void {
    if (this.#listening) return
    this.#listening = true
    const { stdin } = process
    stdin.on('readable', () => this.#answer())
    stdin.on('end', () => {
      this.#over = true
      this.#answer()
    })
    stdin.on('error', () => {
      this.#failed = true
      this.#answer()
    })
  }

  #answer(): void {
    if (this.#wanted === 0) return
    const bytes = this.#next()
    if (bytes !== null) {
      const taken = bytes.subarray(0, this.#wanted)
      this.#rest = taken.length < bytes.length ? bytes.subarray(taken.length) : null
      this.#area.set(taken)
      this.#set(INPUT_STATES.ready, taken.length)
    } else if (this.#failed) this.#set(INPUT_STATES.failed, 0)
    else if (this.#over) this.#set(INPUT_STATES.ready, 0)
  }

  #next(): Buffer | null {
    const bytes = this.#rest ?? (process.stdin.read() as Buffer | null)
    this.#rest = null
    if (bytes === null || this.#secret === null) return bytes
    const typed = this.#secret.type(bytes)
    if (typed === null) return null
    this.#secret = new TypedLine()
    if (typed !== 'interrupt') return typed
    this.#interrupt()
    // Python does not wait any more. The next call of read() gets what is typed then.
    return null
  }

  #set(state: number, length: number): void {
    this.#wanted = 0
    Atomics.store(this.#words, COMMAND_WORDS.length, length)
    Atomics.store(this.#words, COMMAND_WORDS.input, state)
    Atomics.notify(this.#words, COMMAND_WORDS.input)
  }
}
