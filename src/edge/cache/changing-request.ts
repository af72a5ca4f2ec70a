import type { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type ResponseHead, responseField } from '../../http/response-head.ts'
import type { CacheContext } from './cache-context.ts'
import { PassedRequest } from './passed-request.ts'
import { authorityOf, keyOf, resourceKey } from './request-facts.ts'

/**
 * A request with an unsafe method. If it succeeds, it may have changed what is stored for its
 * target and for the URLs that its answer names (RFC 9111 §4.4).
 */
export class ChangingRequest extends PassedRequest {
  readonly #context: CacheContext
  readonly #head: RequestHead

  constructor(context: CacheContext, head: RequestHead, reply: Reply) {
    super(reply, 'fwd=method')
    this.#context = context
    this.#head = head
  }

  override respond(head: ResponseHead, body: Span): boolean {
    this.#invalidate(head)
    return super.respond(head, body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    this.#invalidate(head)
    return super.start(head, body)
  }

  #invalidate(response: ResponseHead): void {
    if (response.status >= 400) return
    const key = resourceKey(this.#head)
    if (key === null) return
    this.#context.invalidate(key)
    for (const name of ['location', 'content-location']) {
      const named = responseField(response, name)
      const other = named === undefined ? null : this.#keyOf(named, key)
      if (other !== null) this.#context.invalidate(other)
    }
  }

  /** The key of a URL of the same origin; null for another. */
  #keyOf(reference: string, key: string): string | null {
    const [scheme, authority, target] = key.split(' ') as [string, string, string]
    const base = `${scheme}://${authority}`
    if (!URL.canParse(`${base}${target}`) || !URL.canParse(reference, `${base}${target}`))
      return null
    const url = new URL(reference, `${base}${target}`)
    // Another origin must not be able to drop what is stored here.
    if (url.origin !== new URL(base).origin) return null
    return keyOf(this.#head.secure, authorityOf(this.#head), url.pathname + url.search)
  }
}
