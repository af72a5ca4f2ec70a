import { parseRatePolicy } from '../rate-limit/rate-policy.ts'
import type { SharedAnswer } from '../rate-limit/shared-buckets.ts'
import { TokenBuckets } from '../rate-limit/token-buckets.ts'

/**
 * The buckets of this server, by its `rate_limit`: they outlive its acceptors. Two of them while
 * acceptors are replaced by others with another limit.
 */
const counts = new Map<string, TokenBuckets>()

/**
 * Counts requests for several acceptors; this module is loaded when one asks.
 *
 * @param rateLimit the setting of the acceptor
 * @param keys the clients of the requests
 * @returns an answer for each
 */
export function takeTokens(
  rateLimit: readonly string[],
  keys: readonly string[],
): readonly SharedAnswer[] {
  const policies = rateLimit.map((text) => parseRatePolicy(text)!)
  const buckets = bucketsOf(rateLimit.join(), policies)
  return keys.map((key) => {
    const over = buckets.take(key)
    if (over === null) return null
    return [rateLimit.indexOf(over.policy.text), over.waitMs] as const
  })
}

function bucketsOf(name: string, policies: ConstructorParameters<typeof TokenBuckets>[0]) {
  let buckets = counts.get(name)
  if (buckets === undefined) {
    if (counts.size === 2) counts.delete(counts.keys().next().value!)
    buckets = new TokenBuckets(policies)
    counts.set(name, buckets)
  }
  return buckets
}
