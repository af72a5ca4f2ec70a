import type { Reply, RequestHandler, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { Field } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'
import { Networks } from '../networks.ts'
import { BackgroundPeer } from './background-peer.ts'
import { CacheContext, type CacheOptions, MOST_REFRESHED } from './cache-context.ts'
import { type Forwarded, hitStatus, statusField } from './cache-status.ts'
import { CacheStore } from './cache-store.ts'
import { ChangingRequest } from './changing-request.ts'
import { Fill } from './fill.ts'
import { PassedRequest } from './passed-request.ts'
import { purge } from './purge.ts'
import { CONDITIONAL, RANGE, type RequestFacts, requestFacts } from './request-facts.ts'
import { RewrittenHead } from './rewritten-head.ts'
import { SmallReply } from './small-reply.ts'
import { verdictOf } from './storage-rules.ts'
import { StoredAnswer } from './stored-answer.ts'
import type { StoredResponse } from './stored-response.ts'
import { WaitingRequest } from './waiting-request.ts'

export type { CacheOptions } from './cache-context.ts'

/** Methods that change nothing (RFC 9110 §9.2.1), beside GET and HEAD. */
const SAFE: ReadonlySet<string> = new Set([
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
])
/**
 * They are about the client's copy, or a part; the application is asked about ours, or the whole.
 */
const OWN_QUESTION: ReadonlySet<string> = new Set([
  'cache-control',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'pragma',
  'range',
])
const NOTHING_ADDED: readonly Field[] = []

/**
 * A shared cache in front of the application (RFC 9111): stores responses that say for how long
 * they are fresh, and answers with them.
 *
 * Requests for the same response at the same time are one request to the application; the others
 * wait for it. `PURGE` drops a response, from the addresses of `purgeFrom`.
 */
export function cache(options: CacheOptions): EdgeHandler {
  return (next) => new Cache(options, next).handle
}

class Cache {
  readonly #context: CacheContext
  readonly #next: RequestHandler
  readonly #purgers: Networks

  constructor(options: CacheOptions, next: RequestHandler) {
    const store = new CacheStore({ bytes: options.bytes, memory: options.memory })
    this.#context = new CacheContext(options, store, next)
    this.#next = next
    this.#purgers = new Networks(options.purgeFrom)
  }

  readonly handle: RequestHandler = (head, reply) => {
    const { method } = head
    if (method === 'GET' || method === 'HEAD') {
      const facts = this.#isKnown(reply) ? null : requestFacts(head)
      return facts === null ? this.#pass(head, reply, 'bypass') : this.#find(facts, head, reply)
    }
    if (method === 'PURGE') return purge(this.#context, this.#purgers, head, reply)
    if (SAFE.has(method)) return this.#pass(head, reply, 'method')
    const changing = new ChangingRequest(this.#context, head, reply)
    changing.sink = this.#next(head, changing)
    return changing
  }

  /** Whether the application knows the client by its certificate, as it does by Authorization. */
  #isKnown({ peer }: Reply): boolean {
    const { clientCertificates } = this.#context.options
    return clientCertificates && (peer.tls?.client?.certificate ?? null) !== null
  }

  #pass(head: RequestHead, reply: Reply, why: Forwarded): RequestSink {
    const passed = new PassedRequest(reply, `fwd=${why}`)
    passed.sink = this.#next(head, passed)
    return passed
  }

  /** Answers from the store if that is possible. */
  #find(facts: RequestFacts, head: RequestHead, reply: Reply): RequestSink {
    const { store } = this.#context
    const resource = store.get(facts.key)
    const { directives, flags } = facts
    if (resource === undefined) return this.#miss(facts, head, reply, 'uri-miss', facts.proxies)
    const variant = resource.variantKey(head, facts.proxies)
    if (variant === null) return this.#pass(head, reply, 'vary-miss')
    const stored = resource.variants.get(variant)
    if (stored === undefined) return this.#miss(facts, head, reply, 'vary-miss', variant)
    const verdict = verdictOf(stored.rules, directives, Date.now())
    if (verdict === 'use') {
      return new StoredAnswer(head, reply, stored, { flags, status: hitStatus, hit: true })
    }
    if (verdict === 'use-and-refresh') {
      this.#refresh(facts, head, reply, stored, variant)
      return new StoredAnswer(head, reply, stored, { flags, status: hitStatus, hit: true })
    }
    return this.#validate(facts, head, reply, stored, variant, verdict)
  }

  /** Nothing is stored for the request. */
  #miss(
    facts: RequestFacts,
    head: RequestHead,
    reply: Reply,
    why: Forwarded,
    variant: string,
  ): RequestSink {
    const { flags, directives, key } = facts
    if (directives.has('only-if-cached')) return this.#notCached(reply)
    // The response to HEAD has no body to store, and that to Range only a part.
    if (head.method === 'HEAD' || (flags & RANGE) !== 0) return this.#pass(head, reply, why)
    const alone = directives.size > 0 || this.#context.store.isUncacheable(key)
    if (!alone) {
      const waiting = this.#wait(facts, head, reply, variant, why)
      if (waiting !== null) return waiting
    }
    const fill = this.#fill(facts, head, reply, null, `fwd=${why}`)
    // The answer to a conditional request may be a 304, which is of no use for others.
    if (!alone && (flags & CONDITIONAL) === 0) this.#context.offer(nameOf(key, variant), fill)
    fill.sink = this.#next(head, fill)
    return fill
  }

  /** Waits for the same request of another client, if there is one. */
  #wait(
    facts: RequestFacts,
    head: RequestHead,
    reply: Reply,
    variant: string,
    why: Forwarded,
  ): RequestSink | null {
    const fill = this.#context.joinable(nameOf(facts.key, variant))
    if (fill === undefined || !fill.joinable) return null
    const request = new WaitingRequest(head, reply, fill, (stored) => {
      const { flags } = facts
      if (stored !== null && this.#isFor(facts, head, stored)) {
        const status = (ttl: number) => `fwd=${why}; collapsed; ttl=${ttl}`
        return new StoredAnswer(head, reply, stored, { flags, status, hit: false })
      }
      // It does not wait again, unless it turns out that it waited for another variant.
      return stored === null ? this.#alone(facts, head, reply, why) : this.#find(facts, head, reply)
    })
    return fill.join(request) ? request : null
  }

  /** Whether a response is what this request would find in the store. */
  #isFor(facts: RequestFacts, head: RequestHead, stored: StoredResponse): boolean {
    const resource = this.#context.store.get(facts.key)
    const variant = resource?.variantKey(head, facts.proxies)
    return variant !== undefined && variant !== null && resource!.variants.get(variant) === stored
  }

  /** Asks the application, whatever others do. */
  #alone(facts: RequestFacts, head: RequestHead, reply: Reply, why: Forwarded): RequestSink {
    const fill = this.#fill(facts, head, reply, null, `fwd=${why}`)
    fill.sink = this.#next(head, fill)
    return fill
  }

  /** Asks the application whether a stored response is still right. */
  #validate(
    facts: RequestFacts,
    head: RequestHead,
    reply: Reply,
    stored: StoredResponse,
    variant: string,
    why: 'stale' | 'request',
  ): RequestSink {
    const { directives, key } = facts
    if (directives.has('only-if-cached')) return this.#notCached(reply)
    if (head.method === 'HEAD') return this.#pass(head, reply, why)
    const alone = directives.size > 0 || this.#context.store.isUncacheable(key)
    if (!alone) {
      const waiting = this.#wait(facts, head, reply, variant, why)
      if (waiting !== null) return waiting
    }
    const fill = this.#fill(facts, head, reply, stored, `fwd=${why}`)
    if (!alone) this.#context.offer(nameOf(key, variant), fill)
    fill.sink = this.#next(questionAbout(stored, head), fill)
    return fill
  }

  #fill(
    facts: RequestFacts,
    head: RequestHead,
    reply: Reply,
    stale: StoredResponse | null,
    status: string,
  ): Fill {
    return new Fill(this.#context, { facts, head, stale, status }, reply, reply.peer)
  }

  /** Asks for a response again, without a client that waits for it. */
  #refresh(
    facts: RequestFacts,
    head: RequestHead,
    reply: Reply,
    stored: StoredResponse,
    variant: string,
  ): void {
    const context = this.#context
    const name = nameOf(facts.key, variant)
    if (context.joinable(name) !== undefined || context.refreshing >= MOST_REFRESHED) return
    const question = questionAbout(stored, head)
    const own = { ...facts, directives: new Map(), flags: 0 }
    const peer = new BackgroundPeer(reply.peer)
    const fill = new Fill(
      context,
      { facts: own, head: question, stale: stored, status: '' },
      null,
      peer,
    )
    context.offer(name, fill)
    fill.sink = this.#next(question, fill)
    // The client's own answer comes first.
    setImmediate(() => {
      fill.begin()
      fill.bodyEnd()
    })
  }

  #notCached(reply: Reply): RequestSink {
    return new SmallReply(reply, 504, [statusField('fwd=miss; detail=only-if-cached')])
  }
}

function nameOf(key: string, variant: string): string {
  return `${key}\n${variant}`
}

/** The request to the application whether a stored response is still right (RFC 9111 §4.3.1). */
function questionAbout(stored: StoredResponse, head: RequestHead): RequestHead {
  const { etag, lastModified } = stored
  const added: Field[] = []
  if (etag !== undefined) added.push(['If-None-Match', etag])
  if (lastModified !== undefined) added.push(['If-Modified-Since', lastModified])
  return new RewrittenHead(head, OWN_QUESTION, added.length === 0 ? NOTHING_ADDED : added)
}
