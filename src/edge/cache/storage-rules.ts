import CachePolicy from 'http-cache-semantics'
import { type Field, type ResponseHead, responseField } from '../../http/response-head.ts'
import { parseHttpDate } from '../../semantics/http-date.ts'
import { type Directives, joinedField, parseDirectives, seconds } from './cache-control.ts'

/** The rules have the same host for all requests: the store's key has the real one. */
const SAME = { url: '/', host: 'a' }
const EPOCH = new Date(0).toUTCString()
/** A heuristic lifetime is never longer, in seconds. */
const LONGEST_HEURISTIC = 24 * 60 * 60
/** More names in a Vary make a response too special to be stored. */
const MOST_VARY_NAMES = 16

/** Why a response is not stored. For tests and logs. */
export type Refusal = 'status' | 'directive' | 'cookie' | 'vary' | 'range' | 'freshness'

/**
 * Heads that are refused at any time, to requests without directives: an application's answers
 * mostly have one of a few heads.
 */
const refused = new WeakMap<ResponseHead, Refusal>()

/** What the rules say of one response that may be stored. */
export interface StorageRules {
  readonly policy: CachePolicy
  /** For how many seconds it is fresh, from the moment that it was made. */
  readonly lifetime: number
  /** How old it was when it arrived, in seconds. */
  readonly initialAge: number
  /** When it arrived, in milliseconds since 1970. */
  readonly receivedAt: number
  /** It may not be used without asking the application (`no-cache`). */
  readonly noCache: boolean
  /** It may not be used when it is stale, whatever anybody says. */
  readonly mustRevalidate: boolean
  /** A client may not ask for it when it is stale, but other rules may allow it. */
  readonly noMaxStale: boolean
  /** Seconds of RFC 5861. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Names of request fields, in lower case and sorted. */
  readonly vary: readonly string[]
}

/**
 * Decides whether a response to a GET without Authorization may be stored (RFC 9111 §3), and for
 * how long it is fresh (§4.2).
 *
 * `http-cache-semantics` has the rules. It reads names of directives in one case only, takes
 * malformed numbers and dates for some value, and takes `must-revalidate` for `no-cache`; so it
 * gets a normal form of the fields, and what is about stale responses is decided here.
 *
 * Stricter than the RFC: a response without a lifetime of its own is not stored, nor is one with
 * Set-Cookie.
 *
 * @param requested the directives of the request
 * @param heuristic the share of the age since Last-Modified for which a response without a lifetime
 * is fresh; 0 for none
 * @param now milliseconds since 1970
 */
export function storageRules(
  head: ResponseHead,
  requested: Directives,
  heuristic: number,
  now: number,
): StorageRules | Refusal {
  const known = requested.size === 0 ? refused.get(head) : undefined
  if (known !== undefined) return known
  const rules = evaluated(head, requested, heuristic, now)
  const lasting = typeof rules === 'string' && (rules !== 'freshness' || !hasTimes(head))
  if (lasting && requested.size === 0) refused.set(head, rules)
  return rules
}

/** Whether freshness may depend on when it is asked for. */
function hasTimes(head: ResponseHead): boolean {
  return (
    responseField(head, 'expires') !== undefined ||
    responseField(head, 'last-modified') !== undefined
  )
}

function evaluated(
  head: ResponseHead,
  requested: Directives,
  heuristic: number,
  now: number,
): StorageRules | Refusal {
  const { fields, status } = head
  if (status === 206 || responseField(head, 'content-range') !== undefined) return 'range'
  if (responseField(head, 'set-cookie') !== undefined) return 'cookie'
  const vary = varyNames(joinedField(fields, 'vary'))
  if (vary === null) return 'vary'
  const directives = parseDirectives(joinedField(fields, 'cache-control'))
  // RFC 9111 §5.4 for those without Cache-Control. For shared caches, RFC 9213 has others first,
  // which are for caches that an operator has not started beside the application.
  const pragma = directives.size === 0 && /no-cache/i.test(joinedField(fields, 'pragma') ?? '')
  const noCache = pragma || directives.has('no-cache')
  const policy = policyOf(head, directives, requested, heuristic, now)
  if (!policy.storable()) {
    const forbidden =
      directives.has('no-store') || directives.has('private') || requested.has('no-store')
    return forbidden ? 'directive' : 'status'
  }
  const explicit =
    directives.has('max-age') ||
    directives.has('s-maxage') ||
    joinedField(fields, 'expires') !== undefined
  const lifetime = explicit ? policy.maxAge() : Math.min(policy.maxAge(), LONGEST_HEURISTIC)
  const validator =
    responseField(head, 'etag') !== undefined || responseField(head, 'last-modified') !== undefined
  const useful = lifetime > 0 ? !noCache || validator : (explicit || noCache) && validator
  if (!useful) return 'freshness'
  const mustRevalidate = directives.has('must-revalidate') || directives.has('proxy-revalidate')
  return {
    policy,
    lifetime: noCache ? 0 : lifetime,
    initialAge: initialAge(fields, now),
    receivedAt: now,
    noCache,
    mustRevalidate: mustRevalidate || noCache,
    noMaxStale: mustRevalidate || noCache || directives.has('s-maxage'),
    staleWhileRevalidate: seconds(directives, 'stale-while-revalidate'),
    staleIfError: seconds(directives, 'stale-if-error'),
    vary,
  }
}

/** How old a response with these rules is, in seconds (RFC 9111 §4.2.3). */
export function ageOf(rules: StorageRules, now: number): number {
  return rules.initialAge + Math.max(0, now - rules.receivedAt) / 1000
}

/** What a stored response may be used for. */
export type Verdict =
  /** It is fresh, or the client accepts it as it is. */
  | 'use'
  /** It is used, and asked for again behind the client's back (RFC 5861 §3). */
  | 'use-and-refresh'
  /** It is stale, so the application is asked. */
  | 'stale'
  /** It is fresh, but the request wants to be sure. */
  | 'request'

/**
 * Decides how a stored response may be used for a request (RFC 9111 §4).
 *
 * @param requested the directives of the request; `Pragma: no-cache` is one of them
 */
export function verdictOf(rules: StorageRules, requested: Directives, now: number): Verdict {
  const late = ageOf(rules, now) - rules.lifetime
  if (requested.size === 0) {
    if (late < 0) return 'use'
    return refreshable(rules, late) ? 'use-and-refresh' : 'stale'
  }
  if (rules.noCache) return 'stale'
  const { 'max-stale': _, ...narrower } = Object.fromEntries(requested)
  // Some of them only narrow what may be used.
  const asked = late < 0 || rules.noMaxStale ? narrower : Object.fromEntries(requested)
  const request = { ...SAME, headers: { host: SAME.host, 'cache-control': textOf(asked) } }
  const { revalidation } = evaluate(rules, request)
  if (revalidation === undefined) return 'use'
  if (revalidation.synchronous === false && refreshable(rules, late)) return 'use-and-refresh'
  return late < 0 ? 'request' : 'stale'
}

/** Whether an error of the application may be answered with it (RFC 5861 §4). */
export function usableOnError(rules: StorageRules, now: number): boolean {
  return (
    !rules.mustRevalidate &&
    ageOf(rules, now) - rules.lifetime <= rules.staleIfError &&
    rules.staleIfError > 0
  )
}

function refreshable(rules: StorageRules, late: number): boolean {
  return !rules.mustRevalidate && late < rules.staleWhileRevalidate
}

/** Types of the library's newest function, which `@types/http-cache-semantics` lacks. */
interface Evaluating {
  evaluateRequest(request: object): { revalidation?: { synchronous: boolean } | undefined }
}

function evaluate(rules: StorageRules, request: object) {
  return (rules.policy as unknown as Evaluating).evaluateRequest(request)
}

function policyOf(
  head: ResponseHead,
  directives: Directives,
  requested: Directives,
  heuristic: number,
  now: number,
): CachePolicy {
  const { fields, status } = head
  const headers: Record<string, string> = {}
  const control: Record<string, string> = {}
  for (const name of ['no-store', 'private', 'public', 'max-age', 's-maxage'])
    if (directives.has(name)) control[name] = directives.get(name)!
  // With a value they are about some fields only, which is not worth the difference.
  for (const name of ['no-store', 'private', 'public']) if (name in control) control[name] = ''
  const swr = seconds(directives, 'stale-while-revalidate')
  if (swr > 0) control['stale-while-revalidate'] = String(swr)
  headers['cache-control'] = textOf(control)
  const expires = joinedField(fields, 'expires')
  const madeAt = dateOf(fields, now)
  if (expires !== undefined) {
    const at = parseHttpDate(expires)
    headers.expires = Number.isNaN(at) ? EPOCH : new Date(at).toUTCString()
  }
  const modified = parseHttpDate(joinedField(fields, 'last-modified') ?? '')
  if (!Number.isNaN(modified)) headers['last-modified'] = new Date(modified).toUTCString()
  headers.date = new Date(madeAt).toUTCString()
  headers.age = String(initialAge(fields, now))
  const request = {
    ...SAME,
    method: 'GET',
    headers: { host: SAME.host, 'cache-control': requested.has('no-store') ? 'no-store' : '' },
  }
  return new CachePolicy(
    request,
    { status, headers },
    { shared: true, cacheHeuristic: heuristic, immutableMinTimeToLive: 0 },
  )
}

function dateOf(fields: readonly Field[], now: number): number {
  const date = parseHttpDate(joinedField(fields, 'date') ?? '')
  return Number.isNaN(date) ? now : date
}

/**
 * The age of a response when it arrives (RFC 9111 §4.2.3): what its Age says, or how long ago its
 * Date was. The first value of several counts (§5.1).
 */
function initialAge(fields: readonly Field[], now: number): number {
  const first = (joinedField(fields, 'age') ?? '').split(',', 1)[0]!.trim()
  const told = /^\d+$/.test(first) ? Number(first) : 0
  // A second is what a date is off by anyway.
  const apparent = Math.floor((now - dateOf(fields, now)) / 1000) - 1
  return Math.max(told, apparent, 0)
}

function varyNames(vary: string | undefined): readonly string[] | null {
  if (vary === undefined) return []
  const names = new Set<string>()
  for (const part of vary.split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '') continue
    if (!/^[!#$%&'+\-.^_`|~0-9a-z]+$/.test(name)) return null
    names.add(name)
  }
  return names.size > MOST_VARY_NAMES ? null : [...names].sort()
}

function textOf(directives: Readonly<Record<string, string>>): string {
  return Object.entries(directives)
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join(', ')
}
