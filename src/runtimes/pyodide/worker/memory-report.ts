import { coded } from '../../../messages/coded.ts'
import { DEBUG, INFO, WARNING } from '../../workers/log-levels.ts'
import { mebibytes, memoryLimitText, WEBASSEMBLY_MOST } from '../memory-limit.ts'
import type { AcceptorPort } from './acceptor-port.ts'
import { WORDS } from './worker-link.ts'

const WASM_PAGE = 64 * 1024

/**
 * Logs how much memory the interpreter has: when the application is loaded, and whenever it has
 * doubled since.
 */
export class MemoryReport {
  /** The most memory that the interpreter can have, in bytes. */
  readonly limit: number
  /** The interpreter was refused memory since this was last set to false. */
  wasRefused = false
  readonly #port: AcceptorPort
  readonly #words: Int32Array
  #reported = Number.POSITIVE_INFINITY
  #bytes = 0
  #refused = false

  /** @param limit the setting, in bytes, or null */
  constructor(limit: number | null, port: AcceptorPort, words: Int32Array) {
    this.limit = limit ?? WEBASSEMBLY_MOST
    this.#port = port
    this.#words = words
  }

  /** The memory has grown to that many bytes. */
  grown(bytes: number): void {
    this.#bytes = bytes
    Atomics.store(this.#words, WORDS.pages, bytes / WASM_PAGE)
    if (bytes < 2 * this.#reported) return
    this.#reported = bytes
    this.#port.log(INFO, `The interpreter's memory has grown to ${mebibytes(bytes)}`)
  }

  /**
   * The interpreter needed more memory than its limit. Emscripten first asks for more than it
   * needs, so Python may not have run out of memory yet.
   */
  refused(): void {
    if (this.#reported === Number.POSITIVE_INFINITY) return
    this.wasRefused = true
    if (this.#refused) return
    this.#refused = true
    this.#port.log(
      WARNING,
      coded(
        'MONO5009',
        `The interpreter has ${mebibytes(this.#bytes)} of memory, close to its limit ` +
          `(${memoryLimitText(this.limit)}): Python raises MemoryError if it needs more`,
      ),
    )
  }

  /** The application is loaded. */
  serves(): void {
    this.#reported = this.#bytes
    this.#port.log(DEBUG, `The interpreter has ${mebibytes(this.#bytes)} of memory`)
  }
}
