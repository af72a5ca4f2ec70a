import { commandWords, inputStates } from './command-link.ts'
import { TypedLine } from './typed-line.ts'

/**
 * This process's standard input, for a thread that blocks while it waits. Nothing is read before it
 * is asked for, so that a program that does not read leaves it to others.
 */
export class StandardInput {
  readonly #words: Int32Array
  readonly #area: Uint8Array
  readonly #interrupt: () => void
  #rest: Buffer | null = null
  #over = false
  #failed = false
  #wanted = 0
  /** What is typed unseen; null when it is shown. */
  #secret: TypedLine | null = null
  #listening = false

  /**
   * @param words {@link commandWords}
   * @param area where the bytes are put
   * @param interrupt what Ctrl-C does while nothing is shown, as the terminal then makes no signal
   * of it
   */
  constructor(words: Int32Array, area: Uint8Array, interrupt: () => void) {
    this.#words = words
    this.#area = area
    this.#interrupt = interrupt
  }

  /** Gives up to `size` bytes to the thread, as soon as there are some. */
  give(size: number): void {
    this.#wanted = size
    this.#listen()
    this.#answer()
  }

  /** Says whether a terminal shows what is typed. */
  echo(echo: boolean): void {
    if (process.stdin.isTTY) {
      this.#listen()
      this.#secret = echo ? null : new TypedLine()
      process.stdin.setRawMode(!echo)
    }
    Atomics.add(this.#words, commandWords.switched, 1)
    Atomics.notify(this.#words, commandWords.switched)
  }

  /** Reads no more. */
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
      this.#tell(inputStates.ready, taken.length)
    } else if (this.#failed) this.#tell(inputStates.failed, 0)
    else if (this.#over) this.#tell(inputStates.ready, 0)
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
    // Python is no longer waiting for it; whoever reads next gets what is typed then.
    return null
  }

  #tell(state: number, length: number): void {
    this.#wanted = 0
    Atomics.store(this.#words, commandWords.length, length)
    Atomics.store(this.#words, commandWords.input, state)
    Atomics.notify(this.#words, commandWords.input)
  }
}
