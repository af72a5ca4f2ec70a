import { type FieldName, WELL_KNOWN_NAMES } from '../../http/field-names.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { forwardedElement } from '../../semantics/forwarded.ts'
import { type Directives, parseDirectives } from './cache-control.ts'

/** The store must not be used for it. */
const BYPASS = 1
/** It is a part of the key, because applications may trust it. */
const KEYED = 2
/** The request says how the store may be used. */
const DIRECTIVES = 4
/** If-None-Match or If-Modified-Since. */
export const CONDITIONAL = 8
/** It asks for a part of the response. */
export const RANGE = 16

const FLAGS_BY_NAME: Readonly<Record<string, number>> = {
  authorization: BYPASS,
  'proxy-authorization': BYPASS,
  // Proxies that know the user tell applications with these, as browsers do with Authorization.
  'remote-user': BYPASS,
  'x-auth-request-email': BYPASS,
  'x-auth-request-user': BYPASS,
  'x-forwarded-access-token': BYPASS,
  'x-forwarded-client-cert': BYPASS,
  'x-forwarded-email': BYPASS,
  'x-forwarded-groups': BYPASS,
  'x-forwarded-preferred-username': BYPASS,
  'x-forwarded-user': BYPASS,
  'x-remote-user': BYPASS,
  // Only the application may evaluate these (RFC 9111 §4.3.2).
  'if-match': BYPASS,
  'if-unmodified-since': BYPASS,
  // Frameworks take these for another method, or for another path.
  'x-http-method': BYPASS,
  'x-http-method-override': BYPASS,
  'x-method-override': BYPASS,
  'x-original-uri': BYPASS,
  'x-original-url': BYPASS,
  'x-rewrite-uri': BYPASS,
  'x-rewrite-url': BYPASS,
  forwarded: KEYED,
  'x-forwarded-host': KEYED,
  'x-forwarded-path': KEYED,
  'x-forwarded-port': KEYED,
  'x-forwarded-prefix': KEYED,
  'x-forwarded-proto': KEYED,
  'x-forwarded-protocol': KEYED,
  'x-forwarded-scheme': KEYED,
  'x-forwarded-server': KEYED,
  'x-forwarded-ssl': KEYED,
  'x-forwarded-uri': KEYED,
  'x-host': KEYED,
  'x-http-host-override': KEYED,
  'x-original-host': KEYED,
  'x-script-name': KEYED,
  'x-url-scheme': KEYED,
  'cache-control': DIRECTIVES,
  pragma: DIRECTIVES,
  'if-modified-since': CONDITIONAL,
  'if-none-match': CONDITIONAL,
  range: RANGE,
}

const WELL_KNOWN = Uint8Array.from(WELL_KNOWN_NAMES, (name) => FLAGS_BY_NAME[name] ?? 0)
const BY_NAME = new Map(Object.entries(FLAGS_BY_NAME))

const NO_DIRECTIVES: Directives = new Map()
const NO_CACHE: Directives = new Map([['no-cache', '']])
/** A longer key is not worth its memory. */
const LONGEST_KEY = 8192
/** So many elements of Forwarded are looked at; with more, the whole value is in the key. */
const MOST_PROXIES = 8

/** What the cache has to know of a request. */
export interface RequestFacts {
  /** Identifies the resource. */
  readonly key: string
  /** The fields of proxies from which applications take their own address; `''` without any. */
  readonly proxies: string
  /** {@link CONDITIONAL} and {@link RANGE}. */
  readonly flags: number
  readonly directives: Directives
}

/**
 * Reads what the cache has to know of a GET or HEAD.
 *
 * The key has the scheme, the authority and the target exactly as the application gets them:
 * nothing is decoded, folded or left out, so no two requests that an application could tell apart
 * by them share an answer. The fields from which applications behind proxies take their own address
 * choose among the variants of the resource.
 *
 * @returns null if the store is not for this request
 */
export function requestFacts(head: RequestHead): RequestFacts | null {
  if (head.targetForm !== 'origin' || head.hasBody) return null
  let flags = 0
  for (let i = 0; i < head.fieldCount; i++) {
    flags |= flagsOf(head.names[i]!)
  }
  if ((flags & BYPASS) !== 0) return null
  const key = resourceKey(head)
  if (key === null) return null
  const told = (flags & KEYED) !== 0 || head.scriptName !== null
  const proxies = told ? proxiesOf(head) : ''
  if (key.length + proxies.length > LONGEST_KEY) return null
  return {
    key,
    proxies,
    flags,
    directives: (flags & DIRECTIVES) === 0 ? NO_DIRECTIVES : directives(head),
  }
}

/**
 * The key of a request's target, whatever the method.
 *
 * @returns null if the request names no host
 */
export function resourceKey(head: RequestHead): string | null {
  const authority = authorityOf(head)
  return authority === '' ? null : keyOf(head.secure, authority, targetOf(head))
}

/**
 * The same for the parts of a URL. No part has a space, so that none can pass for another.
 *
 * @param target path and query
 */
export function keyOf(secure: boolean, authority: string, target: string): string {
  return `${secure ? 'https' : 'http'} ${authority} ${target} `
}

/** Host and port as the application gets them; `''` if the request has none. */
export function authorityOf(head: RequestHead): string {
  if (head.hasAuthority)
    return head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
  return head.host === -1 ? '' : head.value(head.host)
}

/** Path and query, also of an absolute target. */
function targetOf(head: RequestHead): string {
  if (head.targetForm === 'origin') return head.target
  const end = head.hasQuery ? head.queryEnd : head.pathEnd
  return head.bytes.toString('latin1', head.pathStart, end) || '/'
}

/**
 * A name with an underscore is left only if the application is to trust it: it comes from a proxy
 * of `forwarder_headers`, or with `header_map = "dangerous"` from anybody. To an application, it is
 * as good as the one with a dash.
 */
function flagsOf({ id, lower, hasUnderscore }: FieldName): number {
  if (id >= 0) return WELL_KNOWN[id]!
  if (hasUnderscore) return BY_NAME.get(lower.replaceAll('_', '-')) ?? KEYED
  return BY_NAME.get(lower) ?? 0
}

function directives(head: RequestHead): Directives {
  const control = head.get('cache-control')
  if (control !== undefined) return parseDirectives(control)
  return /no-cache/i.test(head.get('pragma') ?? '') ? NO_CACHE : NO_DIRECTIVES
}

function proxiesOf(head: RequestHead): string {
  let part = head.scriptName === null ? '' : `mounted at ${head.scriptName}\n`
  for (let i = 0; i < head.fieldCount; i++) {
    const name = head.names[i]!
    if ((flagsOf(name) & KEYED) === 0 || name.lower === 'forwarded') continue
    part += `${name.lower}:${head.value(i)}\n`
  }
  const forwarded = head.get('forwarded')
  return forwarded === undefined ? part : `${part}forwarded:${withoutClients(forwarded)}\n`
}

/** Without the addresses of clients, or hardly two requests would have the same key. */
function withoutClients(forwarded: string): string {
  let rest = ''
  for (let i = 1; i <= MOST_PROXIES; i++) {
    const element = forwardedElement(forwarded, i)
    if (element === null) {
      const empty = i > 1 && forwarded.split(',').length < i
      return empty ? rest : forwarded
    }
    rest += `${JSON.stringify([element.get('host'), element.get('proto')])},`
  }
  return forwarded
}
