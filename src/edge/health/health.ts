import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import { responseHead } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'

/**
 * Answers GET and HEAD of one path by whether the server is ready: 200, or 503 with the reason. The
 * application is not asked. Requests with a body pass, because nobody would read it.
 *
 * @param path as it is sent, without a query: `/healthz`
 * @param obstacle why the server is not ready, in a few words; null if it is
 */
export function health(path: string, obstacle: () => string | null): EdgeHandler {
  const expected = Buffer.from(path, 'latin1')
  return (next) => (head, reply) => {
    const { bytes, pathStart, pathEnd, method } = head
    if (
      pathEnd - pathStart !== expected.length ||
      (method !== 'GET' && method !== 'HEAD') ||
      head.hasBody ||
      bytes.compare(expected, 0, expected.length, pathStart, pathEnd) !== 0
    )
      return next(head, reply)
    return new HealthAnswer(reply, obstacle())
  }
}

class HealthAnswer implements RequestSink {
  readonly #reply: Reply
  readonly #obstacle: string | null

  constructor(reply: Reply, obstacle: string | null) {
    this.#reply = reply
    this.#obstacle = obstacle
  }

  begin(): void {
    const body = Buffer.from(`${this.#obstacle ?? 'ok'}\n`)
    const head = responseHead(this.#obstacle === null ? 200 : 503, [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Cache-Control', 'no-store'],
    ])
    this.#reply.respond(head, new Span().set(body, 0, body.length))
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(): void {}

  closed(): void {}
}
