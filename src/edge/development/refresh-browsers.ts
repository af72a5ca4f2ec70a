import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, responseHead } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'
import type { Audience } from './audience.ts'
import type { BrowserStreams } from './browser-streams.ts'
import { EVENTS_PATH, REFRESH_SCRIPT, SCRIPT_PATH } from './refresh-script.ts'
import { asksForPage, RefreshedPage } from './refreshed-page.ts'

const SCRIPT_BYTES = Buffer.from(REFRESH_SCRIPT, 'utf8')
const SCRIPT_HEAD: readonly Field[] = [
  ['Content-Type', 'text/javascript; charset=utf-8'],
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
]

/**
 * Adds the script that refreshes a page to the pages that the audience gets, and answers the
 * requests of that script.
 */
export function refreshBrowsers(audience: Audience, streams: BrowserStreams): EdgeHandler {
  return (next) => (head, reply) => {
    if (!audience.includes(head, reply.peer)) return next(head, reply)
    const own = answerOwn(head, reply, streams)
    if (own !== null) return own
    if (!asksForPage(head)) return next(head, reply)
    refuseCodings(head)
    const page = new RefreshedPage(reply, streams.version)
    page.sink = next(head, page)
    return page
  }
}

function answerOwn(head: RequestHead, reply: Reply, streams: BrowserStreams): RequestSink | null {
  if (head.method !== 'GET' && head.method !== 'HEAD') return null
  // Most paths are shorter or longer.
  const length = head.pathEnd - head.pathStart
  if (length !== SCRIPT_PATH.length && length !== EVENTS_PATH.length) return null
  const path = head.bytes.toString('latin1', head.pathStart, head.pathEnd)
  if (path === SCRIPT_PATH)
    return new SmallAnswer(reply, responseHead(200, SCRIPT_HEAD), SCRIPT_BYTES)
  return path === EVENTS_PATH && head.method === 'GET' ? streams.open(reply) : null
}

/**
 * Makes `Accept-Encoding` empty: no coding is acceptable (RFC 9110 §12.5.3), so that the script can
 * be added to the page.
 */
function refuseCodings(head: RequestHead): void {
  const offsets = head.fields as number[]
  for (let i = 0; i < head.fieldCount; i++)
    if (head.names[i]!.lower === 'accept-encoding') offsets[i * 4 + 3] = offsets[i * 4 + 2]!
}

/** Sends one answer, whatever the request was. */
export class SmallAnswer implements RequestSink {
  readonly #reply: Reply
  readonly #head: ReturnType<typeof responseHead>
  readonly #body: Buffer
  #over = false

  constructor(reply: Reply, head: ReturnType<typeof responseHead>, body: Buffer) {
    this.#reply = reply
    this.#head = head
    this.#body = body
  }

  begin(): void {
    this.#reply.wantBody()
  }

  bodyData(): void {}

  bodyEnd(): void {
    if (!this.#over)
      this.#reply.respond(this.#head, new Span().set(this.#body, 0, this.#body.length))
  }

  clientEnded(): void {}

  written(): void {}

  closed(): void {
    this.#over = true
  }
}
