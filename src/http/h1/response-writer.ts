import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Span } from '../../bytes/span.ts'
import { isBodiless } from '../../semantics/bodiless.ts'
import type { RequestSink } from '../exchange.ts'
import type { Field, ResponseHead } from '../response-head.ts'
import { RETRY_SOON, smallAnswer } from '../small-answer.ts'
import { dateLine, serverLine } from './own-lines.ts'
import { RenderedHead } from './rendered-head.ts'
import type { H1RequestHead } from './request-head.ts'

/**
 * Up to here a response, or a chunk of one, goes out as one latin-1 string, which Node writes from
 * the stack. A larger body is written from where it is.
 */
const ONE_STRING = 4 * 1024
/** A head up to this length, in bytes, is sent by the process that a socket is lent to. */
const LENT_HEAD = 4 * 1024
const NO_LENGTH = Number.POSITIVE_INFINITY

// The states of the answer.
const NOTHING_SENT = 0
const BODY_OPEN = 1
const FINISHING = 2

/** The owner of a writer. */
export interface WriterOwner {
  /** Called when a head that waited for its body has been written without it. */
  headWritten(): void
  /** The sink of the current exchange. */
  readonly sink: RequestSink | null
  /** Called when a piece of a body has left this process; `sink` is that of its exchange. */
  pieceWritten(sink: RequestSink | null, bytes: number): void
}

/**
 * Writes the responses of a connection one after the other: heads, and bodies framed by
 * Content-Length, in chunks, or by the end of the connection (RFC 9112 §6).
 */
export class ResponseWriter {
  /** See `Reply.bytesSent`. */
  bytesSent = 0
  /** The connection stays open after this response; decided when its head is written. */
  keepAlive = false
  readonly #socket: Socket
  readonly #serverName: string
  readonly #owner: WriterOwner
  #state = NOTHING_SENT
  #toHead = false
  #minorVersion = 1
  #withoutBody = false
  #chunked = false
  /** Bytes that the declared Content-Length still asks for; {@link NO_LENGTH} if there is none. */
  #owed = 0
  /** A head that is sent together with the first bytes of its body. */
  #heldHead = ''

  constructor(socket: Socket, serverName: string, owner: WriterOwner) {
    this.#socket = socket
    this.#serverName = serverName
    this.#owner = owner
  }

  /** Prepares for the answer to a request. */
  begin(request: H1RequestHead, keepAlive: boolean): void {
    this.#state = NOTHING_SENT
    this.#toHead = request.method === 'HEAD'
    this.#minorVersion = request.minorVersion
    this.keepAlive = keepAlive
    this.bytesSent = 0
  }

  /** The exchange is over. */
  end(): void {
    this.#state = NOTHING_SENT
    this.#heldHead = ''
  }

  /** Something has been sent of the answer. */
  get begun(): boolean {
    return this.#state !== NOTHING_SENT
  }

  /** All of the answer has been given to the socket. */
  get finishing(): boolean {
    return this.#state === FINISHING
  }

  /** Whether the head declares a body of this many bytes. */
  fits(head: ResponseHead, length: number): boolean {
    return head.contentLength === -1 || head.contentLength === length || this.#isWithoutBody(head)
  }

  /**
   * Writes a whole response whose body {@link fits}.
   * @returns whether the memory of `body` is still needed
   */
  respond(head: ResponseHead, body: Span): boolean {
    const { length } = body
    const withoutBody = this.#isWithoutBody(head)
    this.#state = FINISHING
    // The answer to HEAD has the Content-Length of that to GET, if it is known (RFC 9110 §8.6).
    const declares =
      head.contentLength === -1 && (!withoutBody || (length > 0 && !isBodiless(head.status)))
    const text = this.#headText(head, declares ? `Content-Length: ${length}\r\n` : '')
    if (withoutBody || length === 0) {
      this.#socket.write(text, 'latin1')
      return false
    }
    this.bytesSent = length
    return this.#write(text, body, length)
  }

  /**
   * Writes the head and the beginning of a body.
   * @returns whether the memory of `body` is still needed
   */
  start(head: ResponseHead, body: Span): boolean {
    this.#state = BODY_OPEN
    this.#withoutBody = this.#isWithoutBody(head)
    let framing = ''
    if (this.#withoutBody || head.contentLength !== -1) {
      this.#chunked = false
      this.#owed = this.#withoutBody ? NO_LENGTH : head.contentLength
    } else {
      this.#owed = NO_LENGTH
      this.#chunked = this.#minorVersion === 1
      if (this.#chunked) framing = 'Transfer-Encoding: chunked\r\n'
      // In HTTP/1.0 such a body ends with the connection.
      else this.keepAlive = false
    }
    const text = this.#headText(head, framing)
    if (body.length > 0 || this.#owed === 0 || this.#owed === NO_LENGTH)
      return this.#send(text, body)
    this.#holdHead(text)
    return false
  }

  /** The body usually follows at once. If not, the head goes alone. */
  #holdHead(text: string): void {
    this.#heldHead = text
    setImmediate(this.sendHead)
  }

  /** Sends a head that still waits for its body. */
  readonly sendHead = (): void => {
    const text = this.#takeHead()
    if (text === '') return
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    this.#socket.write(text, 'latin1')
    this.#owner.headWritten()
  }

  /** The head, if it still waits for its body and is not long; another process sends it. */
  headToLend(): string {
    if (this.#heldHead.length > LENT_HEAD) this.sendHead()
    return this.#takeHead()
  }

  /** The head, if it still waits for its body. */
  #takeHead(): string {
    const text = this.#heldHead
    this.#heldHead = ''
    return text
  }

  /** Writes a piece of the body; see `Reply.data`. */
  data(body: Span): boolean {
    return this.#send('', body)
  }

  /** Whether the next bytes of the body may be written as they are, and are that many at most. */
  takesPlain(bytes: number): boolean {
    return (
      this.#state === BODY_OPEN &&
      !this.#withoutBody &&
      this.#owed !== NO_LENGTH &&
      bytes <= this.#owed
    )
  }

  /** Another process has written that many bytes of `before` and of the body after it. */
  skip(bytes: number, before: string): void {
    const ofBody = bytes - before.length
    if (ofBody < 0) return this.#holdHead(before.slice(bytes))
    this.#owed -= ofBody
    this.bytesSent += ofBody
  }

  /** All of the declared length has been sent, or none was declared. */
  get complete(): boolean {
    return this.#owed === 0 || this.#owed === NO_LENGTH
  }

  /** Ends a body that is {@link complete}. */
  finish(): void {
    this.#state = FINISHING
    if (this.#chunked && !this.#withoutBody) this.#socket.write('0\r\n\r\n', 'latin1')
  }

  /**
   * Only a reset shows the client that the response is incomplete: its body ends with the
   * connection (RFC 9112 §8).
   */
  get needsReset(): boolean {
    return this.#state === BODY_OPEN && !this.#chunked && this.#owed === NO_LENGTH
  }

  /** Answers `Expect: 100-continue`. After the answer's head it would be a part of the body. */
  sendContinue(): void {
    if (!this.begun) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  /** Writes an interim response; see `Reply.inform`. */
  inform(status: number, fields: readonly Field[]): void {
    // HTTP/1.0 has none (RFC 9110 §15.2).
    if (this.begun || this.#minorVersion === 0) return
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
    for (const [name, value] of fields) text += `${name}: ${value}\r\n`
    this.#socket.write(`${text}\r\n`, 'latin1')
  }

  /** Writes the answer to a message that is refused, after which the connection ends. */
  refuse(status: number, toHead: boolean): void {
    this.keepAlive = false
    const [head, body] = smallAnswer(status, status === 503 ? RETRY_SOON : [])
    const text = this.#headText(head, `Content-Length: ${body.length}\r\n`)
    this.#socket.write(toHead ? text : text + body.toString('latin1'), 'latin1')
  }

  #isWithoutBody(head: ResponseHead): boolean {
    return this.#toHead || isBodiless(head.status)
  }

  #headText(head: ResponseHead, framing: string): string {
    const date = dateLine()
    const plain = framing === '' && this.keepAlive && this.#minorVersion === 1
    const rendered = RenderedHead.of(head)
    if (plain && rendered.date === date) return rendered.text
    let text = rendered.lines
    if (!head.hasDate) text += date
    if (!head.hasServer) text += serverLine(this.#serverName)
    if (framing !== '') text += framing
    if (!this.keepAlive) return `${text}Connection: close\r\n\r\n`
    if (this.#minorVersion === 0) return `${text}Connection: keep-alive\r\n\r\n`
    text += '\r\n'
    if (plain) {
      rendered.date = date
      rendered.text = text
    }
    return text
  }

  /** Sends `text` and the part of the body that may be sent, framed. */
  #send(head: string, body: Span): boolean {
    const text = this.#heldHead === '' ? head : this.#takeHead()
    const given = body.length
    const length = this.#withoutBody ? 0 : Math.min(given, this.#owed)
    const { sink } = this.#owner
    if (length === 0) {
      if (text !== '') this.#socket.write(text, 'latin1')
      if (given > 0) sink?.written(given)
      return false
    }
    this.#owed -= length
    this.bytesSent += length
    const written = () => this.#owner.pieceWritten(sink, given)
    if (!this.#chunked) return this.#write(text, body, length, written)
    const { bytes, start } = body
    const before = `${text}${length.toString(16)}\r\n`
    if (length <= ONE_STRING) {
      const chunk = bytes.toString('latin1', start, start + length)
      this.#socket.write(`${before}${chunk}\r\n`, 'latin1', written)
      return false
    }
    this.#socket.cork()
    this.#socket.write(before, 'latin1')
    this.#socket.write(bytes.subarray(start, start + length))
    this.#socket.write('\r\n', 'latin1', written)
    this.#socket.uncork()
    return this.#socket.writableLength > 0
  }

  /**
   * Writes `text` and the first `length` bytes of `body` with one system call.
   * @returns whether the memory of `body` is still needed
   */
  #write(text: string, body: Span, length: number, written?: () => void): boolean {
    const socket = this.#socket
    const { bytes, start } = body
    const end = start + length
    if (length + text.length <= ONE_STRING) {
      socket.write(text + bytes.toString('latin1', start, end), 'latin1', written)
      return false
    }
    if (text.length > start - body.free) {
      socket.cork()
      socket.write(text, 'latin1')
      socket.write(bytes.subarray(start, end), written)
      socket.uncork()
      return socket.writableLength > 0
    }
    const from = start - text.length
    if (text !== '') bytes.write(text, from, 'latin1')
    const piece = bytes.subarray(from, end)
    // If other writes were pending, it would wait, and so would the memory that it belongs to.
    const waits = body.lent && socket.writableLength > 0
    socket.write(waits ? Buffer.from(piece) : piece, written)
    return !waits && socket.writableLength > 0
  }
}
