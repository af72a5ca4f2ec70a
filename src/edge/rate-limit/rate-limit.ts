import type { Reply, RequestSink } from '../../http/exchange.ts'
import { clientOf, type RequestHead } from '../../http/request-head.ts'
import type { Field } from '../../http/response-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import type { RateLimiter } from '../../rate-limit/rate-limiter.ts'
import type { OverLimit, RatePolicy } from '../../rate-limit/rate-policy.ts'
import { addressKey } from '../../semantics/address-key.ts'
import type { EdgeHandler } from '../chain.ts'
import type { Networks } from '../networks.ts'
import { type RefusalAnswer, RefusedRequest } from '../refused-request.ts'
import { WaitingExchange } from './waiting-exchange.ts'

/**
 * Refuses requests of a client that makes too many, with 429 (RFC 6585 §4). Clients without an
 * address (a unix socket whose proxy names none) and those of exempt networks may make any number.
 *
 * @param proxies who is trusted to name clients. One that names none is itself the client, which
 * is usually a mistake in the settings, so the log says so
 */
export function rateLimit(
  limiter: RateLimiter,
  policies: readonly RatePolicy[],
  exempt: Networks,
  proxies: Networks,
  events: RequestEvents,
): EdgeHandler {
  const policy = policies.map(policyItem).join(', ')
  const refused = (head: RequestHead, reply: Reply, over: OverLimit): RequestSink => {
    const isProxy = head.client === null && proxies.include(reply.peer.remoteAddress)
    return new RefusedRequest(head, reply, refusalOf(over, policy, isProxy), events)
  }
  return (next) => (head, reply) => {
    const address = clientOf(head, reply).remoteAddress
    if (address === '' || exempt.include(address)) return next(head, reply)
    const over = limiter.take(addressKey(address))
    if (over === null) return next(head, reply)
    if (!(over instanceof Promise)) return refused(head, reply, over)
    const waiting = new WaitingExchange(reply, head.hasBody)
    void over.then((answer) =>
      waiting.decide((relayed) =>
        answer === null ? next(head, relayed) : refused(head, relayed, answer),
      ),
    )
    return waiting
  }
}

/**
 * `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-10 §3 and §4;
 * `Retry-After` is RFC 9110 §10.2.3.
 */
function refusalOf(
  { policy, waitMs }: OverLimit,
  policies: string,
  isProxy: boolean,
): RefusalAnswer {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  const fields: Field[] = [
    ['Retry-After', String(seconds)],
    ['RateLimit-Policy', policies],
    ['RateLimit', `"${policy.text}";r=0;t=${seconds}`],
  ]
  return {
    status: 429,
    reason:
      `the client is over the rate limit of ${policy.text}` +
      (isProxy ? ' (a trusted proxy that names no client: see forwarded_headers)' : ''),
    fields,
    keepsConnection: true,
  }
}

function policyItem({ text, requests, seconds, burst }: RatePolicy): string {
  const extra = burst === requests ? '' : `;monoceros-burst=${burst}`
  return `"${text}";q=${requests};w=${seconds}${extra}`
}
