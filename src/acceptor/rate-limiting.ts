import { createRequire } from 'node:module'
import type { EdgeHandler } from '../edge/chain.ts'
import { Networks } from '../edge/networks.ts'
import { rateLimit } from '../edge/rate-limit/rate-limit.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { CodedError, coded } from '../messages/coded.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import { ownFile } from '../own-files/own-files.ts'
import type { RateLimiter } from '../rate-limit/rate-limiter.ts'
import { parseRatePolicy, type RatePolicy } from '../rate-limit/rate-policy.ts'
import { type AskShared, SharedBuckets } from '../rate-limit/shared-buckets.ts'
import { TokenBuckets } from '../rate-limit/token-buckets.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'

/** Thrown if a package is missing that a setting needs. */
class MissingPackageError extends CodedError {
  readonly code = 'missing-package'
}

/**
 * The handler for `rate_limit`; this module is loaded only if the setting is given.
 *
 * @throws MissingPackageError if there is a store, but not the package for it
 */
export async function rateLimiting(
  settings: Settings,
  events: RequestEvents,
  log: ErrorLog,
  ask: AskShared,
): Promise<EdgeHandler> {
  const policies = settings.rateLimit.map((text) => parseRatePolicy(text)!)
  const limiter = await makeLimiter(settings, policies, log, ask)
  const exempt = new Networks(settings.rateLimitExempt)
  return rateLimit(limiter, policies, exempt, new Networks(settings.forwardedAllowIps), events)
}

async function makeLimiter(
  settings: Settings,
  policies: readonly RatePolicy[],
  log: ErrorLog,
  ask: AskShared,
): Promise<RateLimiter> {
  const { rateLimitStore, acceptors } = settings
  if (rateLimitStore !== null) {
    const { Redis } = ioredis()
    const { RedisBuckets } = await import('../rate-limit/redis-buckets.ts')
    const store = { url: rateLimitStore, Redis }
    const buckets = new RedisBuckets(policies, store, (text) => log.warning(text))
    await buckets.opened()
    return buckets
  }
  // The number of processes of an application in TypeScript can change at any time (TTIN).
  const alone = runtimeOf(settings) !== 'node' && acceptors === 1
  return alone ? new TokenBuckets(policies) : new SharedBuckets(policies, ask)
}

/**
 * The package ioredis, if the user has installed it. It is required, not imported, because bundlers
 * would look for it in every program that imports this package.
 *
 * @throws MissingPackageError
 */
function ioredis(): typeof import('ioredis') {
  try {
    return createRequire(ownFile('package.json'))('ioredis')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    throw new MissingPackageError(
      coded(
        'MONO8301',
        'rate_limit_store needs the package ioredis, which is not installed: npm install ioredis',
      ),
    )
  }
}
