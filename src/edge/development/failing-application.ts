import Negotiator from 'negotiator'
import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, responseHead } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'
import type { Audience } from './audience.ts'
import { FailureReport, PAGE_POLICY } from './failure-page.ts'

/** In order of preference, for clients that have none. */
const TYPES = ['text/html', 'text/plain', 'application/json']

const SECRET =
  '500 Internal Server Error\n\nThe application cannot be loaded. The log of the server has the ' +
  'error.\n'

/**
 * Answers every request with the error of an application that cannot be loaded, as long as there is
 * one.
 */
export class FailingApplication {
  readonly #audience: Audience
  #report: FailureReport | null = null

  /** @param audience who gets the error itself; others only learn that there is one */
  constructor(audience: Audience) {
    this.#audience = audience
  }

  /** @param text why it cannot be loaded; null if it can */
  set failure(text: string | null) {
    this.#report = text === null ? null : new FailureReport(text)
  }

  readonly handler: EdgeHandler = (next) => (head, reply) => {
    const report = this.#report
    if (report === null) return next(head, reply)
    const shown = this.#audience.includes(head, reply.peer) ? report : null
    return new FailureAnswer(head, reply, shown)
  }
}

class FailureAnswer implements RequestSink {
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #report: FailureReport | null
  #over = false

  constructor(head: RequestHead, reply: Reply, report: FailureReport | null) {
    this.#head = head
    this.#reply = reply
    this.#report = report
  }

  begin(): void {
    this.#reply.wantBody()
  }

  bodyData(): void {}

  bodyEnd(): void {
    if (this.#over) return
    const report = this.#report
    const type = report === null ? 'text/plain' : preferredType(this.#head)
    const fields: Field[] = [
      ['Content-Type', `${type}; charset=utf-8`],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
    ]
    if (type === 'text/html') fields.push(['Content-Security-Policy', PAGE_POLICY])
    const body = Buffer.from(report === null ? SECRET : contentOf(report, type), 'utf8')
    this.#reply.respond(responseHead(500, fields), new Span().set(body, 0, body.length))
  }

  clientEnded(): void {}

  written(): void {}

  closed(): void {
    this.#over = true
  }
}

/** The type that the client prefers (RFC 9110 §12.5.1); a page if it accepts none of them. */
function preferredType(head: RequestHead): string {
  const accept = head.get('accept')
  // A long field has many types, which take long to compare.
  if (accept === undefined || accept.length > 4096) return 'text/html'
  return new Negotiator({ headers: { accept } }).mediaType([...TYPES]) ?? 'text/html'
}

function contentOf(report: FailureReport, type: string): string {
  if (type === 'application/json') return report.json
  return type === 'text/plain' ? report.plain : report.html
}
