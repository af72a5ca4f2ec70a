import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import { responseHead } from '../../http/response-head.ts'
import { RETRY_SOON } from '../../http/small-answer.ts'

const HEAD = [
  ['Content-Type', 'text/event-stream; charset=utf-8'],
  ['Cache-Control', 'no-store'],
  // nginx would keep the events back.
  ['X-Accel-Buffering', 'no'],
] as const

/** How soon a browser connects again if the server is gone, in milliseconds. */
const RETRY_MS = 250
/** More streams than this many developers have pages. */
const MOST_STREAMS = 100
/** Something is sent this often, so that a client that is gone is noticed; milliseconds. */
const PULSE_MS = 20_000

/** The pages that wait for a refresh, each with a stream of events (HTML §9.2). */
export class BrowserStreams {
  version: number
  readonly #streams = new Set<BrowserStream>()
  #pulse: NodeJS.Timeout | null = null

  constructor(version: number) {
    this.version = version
  }

  /** Answers a request for the stream. */
  open(reply: Reply): RequestSink {
    return new BrowserStream(reply, this)
  }

  /** @returns whether there is space for it */
  add(stream: BrowserStream): boolean {
    if (this.#streams.size >= MOST_STREAMS) return false
    this.#streams.add(stream)
    this.#pulse ??= setInterval(() => this.#send(':\n\n'), PULSE_MS).unref()
    return true
  }

  remove(stream: BrowserStream): void {
    this.#streams.delete(stream)
    if (this.#streams.size > 0 || this.#pulse === null) return
    clearInterval(this.#pulse)
    this.#pulse = null
  }

  /** Has all pages refreshed that are older than this version. */
  refreshPages(version: number): void {
    this.version = version
    this.#send(`event: version\ndata: ${version}\n\n`)
  }

  /** Has only the style sheets with this file name loaded again. */
  refreshStyle(version: number, file: string): void {
    this.version = version
    this.#send(`event: style\ndata: ${JSON.stringify({ version, file })}\n\n`)
  }

  /** Ends all streams. With `replaced`, browsers connect to another acceptor at once. */
  end(replaced: boolean): void {
    for (const stream of [...this.#streams])
      stream.end(replaced ? 'event: replaced\ndata:\n\n' : '')
  }

  #send(text: string): void {
    for (const stream of this.#streams) stream.send(text)
  }
}

class BrowserStream implements RequestSink {
  readonly #reply: Reply
  readonly #streams: BrowserStreams
  #open = false

  constructor(reply: Reply, streams: BrowserStreams) {
    this.#reply = reply
    this.#streams = streams
  }

  begin(): void {
    if (!this.#streams.add(this)) {
      this.#reply.refuse(503, { close: true, fields: RETRY_SOON })
      return
    }
    this.#open = true
    this.#reply.start(responseHead(200, HEAD))
    this.send(`retry: ${RETRY_MS}\nevent: version\ndata: ${this.#streams.version}\n\n`)
  }

  send(text: string): void {
    if (!this.#open) return
    const bytes = Buffer.from(text, 'utf8')
    this.#reply.data(new Span().set(bytes, 0, bytes.length))
  }

  end(last = ''): void {
    if (last !== '') this.send(last)
    if (!this.#open) return
    this.#open = false
    this.#reply.finish()
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {
    this.end()
  }

  written(): void {}

  closed(): void {
    this.#open = false
    this.#streams.remove(this)
  }
}
