import type { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { type Coded, coded } from '../messages/coded.ts'
import type { RateLimiter } from './rate-limiter.ts'
import type { OverLimit, RatePolicy } from './rate-policy.ts'
import { redisScript } from './redis-script.ts'
import { RefusedKeys } from './refused-keys.ts'
import { TokenBuckets } from './token-buckets.ts'

/** A Redis that does not answer within this time is taken for down, in milliseconds. */
const ANSWER_MS = 500
/** After a failure, Redis is not asked for this long, in milliseconds. */
const PAUSE_MS = 1000

/** A Redis. */
export interface RedisStore {
  /** `redis://` or `rediss://` (TLS), with user, password and database. */
  readonly url: string
  readonly Redis: typeof Redis
}

/**
 * Counts in Redis, so that the limit is one for all servers that use it. While Redis is down, this
 * process counts by itself: a limit that is too generous is better than a site that is down.
 */
export class RedisBuckets implements RateLimiter {
  readonly #policies: readonly RatePolicy[]
  readonly #client: Redis
  readonly #limiter: RateLimiterRedis
  readonly #refused = new RefusedKeys()
  readonly #alone: TokenBuckets
  readonly #log: (text: Coded) => void
  readonly #where: string
  /** Until then, Redis is not asked; `performance.now()`. */
  #pausedUntil = 0
  #down = false

  /**
   * @param store where Redis is, and the class of the package `ioredis` that connects to it
   * @param log takes a line when Redis fails, and when it is back
   */
  constructor(policies: readonly RatePolicy[], store: RedisStore, log: (text: Coded) => void) {
    this.#policies = policies
    this.#log = log
    this.#alone = new TokenBuckets(policies)
    this.#where = withoutPassword(store.url)
    this.#client = new store.Redis(store.url, {
      commandTimeout: ANSWER_MS,
      connectTimeout: 2000,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(attempt * 100, 2000),
    })
    this.#client.on('error', (error) => this.#failed(error))
    this.#limiter = new RateLimiterRedis({
      storeClient: this.#client,
      // Servers with other policies have buckets of their own.
      keyPrefix: `monoceros:rate:${policies.map(({ text }) => text).join(',')}`,
      // The script has the policies; it consumes nothing if the request is allowed.
      points: 0,
      duration: 1,
      customIncrTtlLuaScript: redisScript(policies),
      rejectIfRedisNotReady: true,
    })
  }

  /** Resolves when Redis can be asked, or when that has failed for now. */
  async opened(): Promise<void> {
    if (this.#client.status === 'ready' || this.#down) return
    await new Promise<void>((resolve) => {
      this.#client.once('ready', resolve)
      this.#client.once('error', () => resolve())
    })
  }

  take(key: string): OverLimit | null | Promise<OverLimit | null> {
    const now = performance.now()
    if (now < this.#pausedUntil) return this.#alone.take(key)
    return this.#refused.get(key, now) ?? this.#ask(key)
  }

  async #ask(key: string): Promise<OverLimit | null> {
    try {
      await this.#limiter.consume(key)
      if (this.#down) this.#recovered()
      return null
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        if (this.#down) this.#recovered()
        const policy = this.#policies[error.consumedPoints - 1]!
        const over = { policy, waitMs: error.msBeforeNext }
        this.#refused.add(key, over, performance.now())
        return over
      }
      this.#failed(error)
      return this.#alone.take(key)
    }
  }

  #failed(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE_MS
    if (this.#down) return
    this.#down = true
    const reason = (error as Error).message || (error as NodeJS.ErrnoException).code
    this.#log(
      coded(
        'MONO8302',
        `The rate limit cannot be counted in Redis at ${this.#where} (${reason}); until it ` +
          'answers, each acceptor counts by itself',
      ),
    )
  }

  #recovered(): void {
    this.#down = false
    this.#log(coded('MONO8303', `The rate limit is counted in Redis at ${this.#where} again`))
  }

  /** Ends the connection. */
  close(): void {
    this.#client.disconnect()
  }
}

/** A URL for the log. */
function withoutPassword(url: string): string {
  const parsed = new URL(url)
  parsed.password = ''
  parsed.username = ''
  return parsed.href
}
