import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import { clientOf, type RequestHead } from '../../http/request-head.ts'
import { responseHead } from '../../http/response-head.ts'
import type { Networks } from '../networks.ts'
import { RefusedRequest } from '../refused-request.ts'
import type { CacheContext } from './cache-context.ts'
import { authorityOf, keyOf } from './request-facts.ts'

/**
 * Answers PURGE: drops what is stored for its target, over HTTP and HTTPS, or for all targets that
 * begin like it if it ends in `*`.
 */
export function purge(
  context: CacheContext,
  allowed: Networks,
  head: RequestHead,
  reply: Reply,
): RequestSink {
  const { purgeFrom, events } = context.options
  const refuse = (status: number, reason: string) =>
    new RefusedRequest(head, reply, { status, reason, fields: [] }, events)
  if (purgeFrom.length === 0) return refuse(405, 'PURGE needs cache_purge_from')
  const { remoteAddress } = clientOf(head, reply)
  if (!allowed.include(remoteAddress)) {
    return refuse(403, `PURGE is not allowed from ${remoteAddress || 'a unix socket'}`)
  }
  const authority = authorityOf(head)
  if (authority === '' || head.targetForm !== 'origin')
    return refuse(400, 'PURGE needs a Host and a path')
  return new Purge(context, head, reply, authority)
}

class Purge implements RequestSink {
  readonly #context: CacheContext
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #authority: string
  #over = false

  constructor(context: CacheContext, head: RequestHead, reply: Reply, authority: string) {
    this.#context = context
    this.#head = head
    this.#reply = reply
    this.#authority = authority
  }

  begin(): void {
    this.#reply.wantBody()
  }

  bodyData(): void {}

  bodyEnd(): void {
    if (this.#over) return
    const { target } = this.#head
    let count = 0
    for (const secure of [false, true]) {
      count += target.endsWith('*')
        ? this.#context.invalidateAll(keyOf(secure, this.#authority, target.slice(0, -1)).trimEnd())
        : this.#context.invalidate(keyOf(secure, this.#authority, target))
    }
    const body = Buffer.from(`Purged ${count} ${count === 1 ? 'response' : 'responses'}.\n`)
    const fields = [['Content-Type', 'text/plain; charset=utf-8']] as const
    this.#reply.respond(responseHead(200, fields), new Span().set(body, 0, body.length))
  }

  clientEnded(): void {}

  written(): void {}

  closed(): void {
    this.#over = true
  }
}
