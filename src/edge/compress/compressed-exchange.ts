import { EMPTY, Span } from '../../bytes/span.ts'
import { codedFields, isWorthCoding, unchangedFields } from '../../content-coding/coded-fields.ts'
import { CODINGS, Coder, type Encoding } from '../../content-coding/coding.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../../http/response-head.ts'
import { RelayedExchange } from '../relayed-exchange.ts'
import type { CompressContext } from './compress-context.ts'
import { varyingHead } from './varying-exchange.ts'

/** What a stream of each coding takes at its default level, measured. In bytes. */
const STREAM_MEMORY: Readonly<Record<Encoding, number>> = {
  br: 1280 * 1024,
  zstd: 1280 * 1024,
  gzip: 352 * 1024,
}
/** Points at the bytes that are given to the engine; all exchanges share it. */
const PIECE = new Span()

/** Bytes of the application, by the compressed bytes that have left when they are on their way. */
interface Sent {
  readonly until: number
  readonly bytes: number
}

/** A request whose client accepts a coding. */
export class CompressedExchange extends RelayedExchange {
  readonly #context: CompressContext
  readonly #encoding: Encoding
  readonly #head: RequestHead
  #coder: Coder | null = null
  /** The head of a stream that goes out with its first bytes. */
  #started: ResponseHead | null = null
  #declared = -1
  /** Bytes that the application has given. */
  #given = 0
  /** Pieces that wait for the coder. */
  #waiting: Buffer[] = []
  /** Bytes of those, and of the ones that the coder has. */
  #inside = 0
  #pumping = false
  /** The application has given all. */
  #finished = false
  #over = false
  /** Bytes that are counted as held for this client. */
  #held = 0
  // Compressed bytes given to the engine, and those that have left.
  #sent = 0
  #left = 0
  readonly #unacknowledged: Sent[] = []

  constructor(context: CompressContext, encoding: Encoding, head: RequestHead, reply: Reply) {
    super(reply)
    this.#context = context
    this.#encoding = encoding
    this.#head = head
  }

  /** As the handler counts: of what it has given. */
  override get bytesSent(): number {
    return this.#coder === null ? this.reply.bytesSent : this.#given
  }

  // ---------------------------------------------------------------- a whole response

  override respond(head: ResponseHead, body: Span): boolean {
    const { length } = body
    const unequal = head.contentLength !== -1 && head.contentLength !== length
    if (this.#head.method === 'HEAD') {
      this.reply.respond(this.#headOfHead(head, length), EMPTY as Span)
      return false
    }
    const { rules, memory } = this.#context
    const small = length < rules.threshold
    // A response that is cut off must stay so.
    if (!this.#isCandidate(head) || small || unequal || memory.full)
      return this.reply.respond(this.#plainHead(head), body)
    void this.#compressWhole(head, Buffer.from(body.view()))
    return false
  }

  async #compressWhole(head: ResponseHead, body: Buffer): Promise<void> {
    const { levels, failed, memory } = this.#context
    // Until zlib is done with it, also if the client has left: it cannot be stopped.
    const held = body.length + STREAM_MEMORY[this.#encoding]
    memory.add(held)
    let coded: Uint8Array | null = null
    try {
      coded = await CODINGS[this.#encoding]!.whole(body, levels[this.#encoding])
    } catch (error) {
      failed(`A response could not be compressed: ${(error as Error).message}`)
    }
    memory.add(-held)
    if (this.#over) return
    if (coded === null || coded.length >= body.length) {
      this.reply.respond(this.#plainHead(head), PIECE.set(body, 0, body.length))
    } else {
      const bytes = bufferOf(coded)
      const length = bytes.length
      const fields: Field[] = codedFields(head.fields, this.#encoding)
      fields.push(['Content-Length', String(length)])
      const codedHead = responseHead(head.status, fields, length, head.reason)
      this.reply.respond(codedHead, PIECE.set(bytes, 0, length))
    }
    PIECE.clear()
  }

  // ---------------------------------------------------------------- a stream

  override start(head: ResponseHead, body: Span = EMPTY as Span): boolean {
    if (this.#head.method === 'HEAD') return this.reply.start(this.#headOfHead(head, 0), body)
    const { levels, memory } = this.#context
    if (!this.#isCandidate(head) || memory.pressed)
      return this.reply.start(this.#plainHead(head), body)
    this.#declared = head.contentLength
    this.#coder = new Coder(CODINGS[this.#encoding]!.stream(levels[this.#encoding]))
    this.#count()
    const fields = codedFields(head.fields, this.#encoding)
    this.#started = responseHead(head.status, fields, -1, head.reason)
    if (body.length === 0) this.#sendHead()
    else this.#take(body)
    return false
  }

  override data(body: Span): boolean {
    if (this.#coder === null) return this.reply.data(body)
    this.#take(body)
    return false
  }

  override finish(): void {
    if (this.#coder === null) return this.reply.finish()
    this.#finished = true
    void this.#pump()
  }

  override abort(atOnce?: boolean): void {
    if (this.#coder !== null) {
      if (this.#over) return
      this.#sendHead()
    }
    this.reply.abort(atOnce)
  }

  #take(body: Span): void {
    const room = this.#declared === -1 ? body.length : this.#declared - this.#given
    const length = Math.min(body.length, room)
    this.#given += body.length
    // What is beyond the declared length is cut off, and counts as sent.
    if (body.length > length) this.#acknowledge(body.length - length)
    if (length === 0) return
    this.#waiting.push(Buffer.from(body.bytes.subarray(body.start, body.start + length)))
    this.#inside += length
    this.#count()
    void this.#pump()
  }

  /** Compresses what waits, one piece after the other, and ends the stream after the last. */
  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    try {
      while (!this.#over && this.#waiting.length > 0) {
        const pieces = this.#waiting
        this.#waiting = []
        const piece = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
        this.#send(await this.#coder!.push(piece), piece.length)
      }
      if (this.#over || !this.#finished) return
      if (this.#given < this.#declared) {
        // The client must see that something is missing.
        this.#sendHead()
        return this.reply.abort()
      }
      this.#send(await this.#coder!.finish(), 0)
      if (!this.#over) this.reply.finish()
    } catch (error) {
      if (this.#over) return
      this.#context.failed(`A response could not be compressed: ${(error as Error).message}`)
      this.#sendHead()
      this.reply.abort()
    } finally {
      this.#pumping = false
    }
  }

  /** @param bytes how many bytes of the application these are made of */
  #send(pieces: readonly Uint8Array[], bytes: number): void {
    this.#inside -= bytes
    if (this.#over) return
    this.#count()
    const whole = pieces.length === 1 ? bufferOf(pieces[0]!) : Buffer.concat(pieces)
    this.#sent += whole.length
    if (bytes > 0) this.#unacknowledged.push({ until: this.#sent, bytes })
    PIECE.set(whole, 0, whole.length)
    const head = this.#started
    this.#started = null
    if (head !== null) this.reply.start(head, PIECE)
    else if (whole.length > 0) this.reply.data(PIECE)
    PIECE.clear()
  }

  #sendHead(): void {
    const head = this.#started
    this.#started = null
    if (head !== null) this.reply.start(head)
  }

  override written(bytes: number): void {
    if (this.#coder === null) return this.sink.written(bytes)
    this.#left += bytes
    let credit = 0
    while (this.#unacknowledged.length > 0 && this.#unacknowledged[0]!.until <= this.#left)
      credit += this.#unacknowledged.shift()!.bytes
    if (credit > 0) this.sink.written(credit)
  }

  #acknowledge(bytes: number): void {
    queueMicrotask(() => {
      if (!this.#over) this.sink.written(bytes)
    })
  }

  // ---------------------------------------------------------------- common

  override closed(completed: boolean, refusedWith?: number): void {
    this.#over = true
    this.#waiting = []
    this.#coder?.destroy()
    this.#hold(0)
    this.sink.closed(completed, refusedWith)
  }

  #isCandidate(head: ResponseHead): boolean {
    return isWorthCoding(this.#context.rules, head.status, head.fields)
  }

  /** The head of a response that is not compressed. */
  #plainHead(head: ResponseHead): ResponseHead {
    if (head.status !== 304) return varyingHead(this.#context, head)
    const fields = unchangedFields(head.fields, this.#head.get('if-none-match') ?? '')
    return responseHead(head.status, fields, head.contentLength, head.reason)
  }

  /**
   * The head of the answer to HEAD: that of GET (RFC 9110 §9.3.2), without the length, which only
   * compressing would tell.
   */
  #headOfHead(head: ResponseHead, length: number): ResponseHead {
    const small = head.contentLength === -1 && length > 0 && length < this.#context.rules.threshold
    if (small || !this.#isCandidate(head)) return this.#plainHead(head)
    return responseHead(head.status, codedFields(head.fields, this.#encoding), -1, head.reason)
  }

  /** Counts what the coder and the pieces in it take. */
  #count(): void {
    this.#hold(STREAM_MEMORY[this.#encoding] + this.#inside)
  }

  #hold(bytes: number): void {
    const held = this.#over ? 0 : bytes
    this.#context.memory.add(held - this.#held)
    this.#held = held
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
