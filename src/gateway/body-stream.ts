import type { Reply } from '../http/exchange.ts'
import type { TaskHandle } from '../runtimes/runtime.ts'
import { KeptPieces } from '../spool/kept-pieces.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'

const NOTHING = Buffer.alloc(0)
/** How much of a body is kept for an application that has not asked for it. */
const EARLY_BYTES = 64 * 1024

/**
 * A request body that goes to the application while it arrives, without request buffering: as much
 * as the application asks for. What arrives before that is kept, up to 64 KiB; then the client has
 * to wait.
 */
export class BodyStream {
  /** The client has sent all of it. */
  ended = false
  readonly #memory: MemoryBudget
  readonly #reply: Reply
  /** Bytes that the application has asked for and not got. */
  #wanted = 0
  #asked = false
  #endSent = false
  readonly #early = new KeptPieces()
  #earlyBytes = 0
  /** The size of the pieces when it was last counted. */
  #counted = 0

  /** @param memory counts what is kept */
  constructor(memory: MemoryBudget, reply: Reply) {
    this.#memory = memory
    this.#reply = reply
  }

  /** A piece has arrived. */
  push(chunk: Buffer, handle: TaskHandle): void {
    this.#early.push(chunk)
    this.#keep(chunk.length)
    this.#forward(handle)
    if (this.#earlyBytes >= EARLY_BYTES) this.#reply.pauseBody()
  }

  /** All of it has arrived. @param handle null if the application has answered without it */
  end(handle: TaskHandle | null): void {
    this.ended = true
    if (handle !== null) this.#forward(handle)
  }

  /** The application asks for that many more bytes. */
  want(bytes: number, handle: TaskHandle | null): void {
    this.#asked = true
    this.#wanted += bytes
    this.#reply.wantBody()
    if (handle !== null) this.#forward(handle)
  }

  /** The exchange is over: drops what is kept. */
  discard(): void {
    this.#early.clear()
    this.#keep(-this.#earlyBytes)
  }

  #forward(handle: TaskHandle): void {
    const early = this.#early
    while (this.#wanted > 0) {
      const chunk = early.shift()
      if (chunk === undefined) break
      const piece = chunk.length <= this.#wanted ? chunk : chunk.subarray(0, this.#wanted)
      if (piece !== chunk) early.unshift(chunk.subarray(piece.length))
      this.#wanted -= piece.length
      this.#keep(-piece.length)
      handle.sendBody(piece, false)
    }
    if (!early.empty) return
    if (!this.ended) {
      this.#reply.resumeBody()
    } else if (this.#asked && !this.#endSent) {
      // Not before the application has asked: until then the task may go to another worker, which
      // would miss it.
      this.#endSent = true
      handle.sendBody(NOTHING, true)
    }
  }

  #keep(bytes: number): void {
    this.#earlyBytes += bytes
    const { held } = this.#early
    this.#memory.add(held - this.#counted)
    this.#counted = held
  }
}
