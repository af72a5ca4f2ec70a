/**
 * Lets pages of other origins read an application's responses (Cross-Origin Resource Sharing, Fetch
 * Standard §3.3).
 *
 * It answers preflight requests (`OPTIONS` with `Access-Control-Request-Method`) itself, and adds
 * the headers to all other responses. It only ever loosens what browsers do: it stops no request,
 * and is no protection of an application. Put it outside `errorHandler`, so that pages can read
 * error responses too.
 *
 * @example
 * import { compose, cors, errorHandler } from 'monoceros'
 *
 * export const app = compose( cors({ origin: ['https://shop.example',
 * /https:\/\/[a-z0-9-]+\.preview\.example/], credentials: true, maxAge: 600 }), errorHandler(),
 * )(api)
 *
 * @module
 */
import { toFunction } from '../../wsgi/application.ts'
import type {
  Middleware,
  ResponseHeaders,
  StartResponse,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
} from '../../wsgi/types.ts'
import { changeHeaders } from '../header-change.ts'
import { type CorsOptions, type CorsPolicy, checkPolicy } from './policy.ts'

export type { CorsOptions, OriginRule } from './policy.ts'

/**
 * What an application says of this itself is replaced: browsers refuse a response with two answers.
 */
const OWN: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
])
const NONE: ReadonlySet<string> = new Set()
/**
 * What can be an origin; a list of them, or what could be taken for something else, is none. `null`
 * is what sandboxed pages send.
 */
const ORIGIN = /^(?:null|[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s,/?#@\\"<>]+)$/
const TOKENS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/

/**
 * An origin that is not allowed gets the same response without the headers that would let a page
 * read it. `Vary: Origin` is on every response that could be another one for another origin, those
 * to requests without one included, so that no cache mixes them up.
 *
 * @throws TypeError or RangeError (`bad-option`): for `*` with `credentials`, an origin that no
 * browser would send, a negative `maxAge`, …
 */
export function cors(options: CorsOptions = {}): Middleware {
  const policy = checkPolicy(options)
  return function withCors(app) {
    const inner = toFunction(app)
    return function corsApplication(environ, startResponse) {
      const allowed = isAllowed(policy, environ)
      return typeof allowed === 'boolean'
        ? answer(policy, inner, environ, startResponse, allowed)
        : allowed.then((late) => answer(policy, inner, environ, startResponse, late))
    }
  }
}

/** Whether the page may read the response. Nobody is asked about a request that has no origin. */
function isAllowed(policy: CorsPolicy, environ: WSGIEnvironment): boolean | Promise<boolean> {
  if (policy.anyOrigin) return true
  const origin = environ.HTTP_ORIGIN
  if (typeof origin !== 'string' || !ORIGIN.test(origin)) return false
  const allowed = policy.allows(origin, environ)
  // Only true is true: a function that gives, say, the origin it has not found must not open the
  // door.
  return typeof allowed === 'object'
    ? Promise.resolve(allowed).then((late) => late === true)
    : allowed === true
}

function answer(
  policy: CorsPolicy,
  app: WSGIFunction,
  environ: WSGIEnvironment,
  startResponse: StartResponse,
  allowed: boolean,
): WSGIBody | Promise<WSGIBody> {
  const preflight =
    environ.REQUEST_METHOD === 'OPTIONS' &&
    environ.HTTP_ORIGIN !== undefined &&
    environ.HTTP_ACCESS_CONTROL_REQUEST_METHOD !== undefined
  const common: ResponseHeaders = allowed
    ? [
        ['Access-Control-Allow-Origin', policy.anyOrigin ? '*' : environ.HTTP_ORIGIN!],
        ...(policy.credentials
          ? ([['Access-Control-Allow-Credentials', 'true']] as ResponseHeaders)
          : []),
      ]
    : []
  if (preflight) {
    startResponse('204 No Content', preflightHeaders(policy, environ, allowed, common))
    return []
  }
  if (allowed && policy.exposed !== '')
    common.push(['Access-Control-Expose-Headers', policy.exposed])
  return app(environ, (status, headers, excInfo) => {
    const vary: ResponseHeaders =
      policy.anyOrigin || variesByOrigin(headers) ? [] : [['Vary', 'Origin']]
    // Where a page may not read, the application's own word is dropped too: there is one policy,
    // and this is it.
    return startResponse(status, changeHeaders(headers, OWN, [...common, ...vary]), excInfo)
  })
}

function preflightHeaders(
  policy: CorsPolicy,
  environ: WSGIEnvironment,
  allowed: boolean,
  common: ResponseHeaders,
): ResponseHeaders {
  const headers = changeHeaders(common, NONE, [])
  const vary: string[] = policy.anyOrigin ? [] : ['Origin']
  if (policy.allowedHeaders === null) vary.push('Access-Control-Request-Headers')
  if (policy.privateNetwork) vary.push('Access-Control-Request-Private-Network')
  if (vary.length > 0) headers.push(['Vary', vary.join(', ')])
  if (!allowed) return headers

  headers.push(['Access-Control-Allow-Methods', policy.methods])
  const asked = environ.HTTP_ACCESS_CONTROL_REQUEST_HEADERS
  if (policy.allowedHeaders !== null) {
    if (policy.allowedHeaders !== '')
      headers.push(['Access-Control-Allow-Headers', policy.allowedHeaders])
  } else if (asked !== undefined && TOKENS.test(asked)) {
    headers.push(['Access-Control-Allow-Headers', asked])
  }
  if (policy.maxAge !== null) headers.push(['Access-Control-Max-Age', policy.maxAge])
  if (policy.privateNetwork && environ.HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK === 'true') {
    headers.push(['Access-Control-Allow-Private-Network', 'true'])
  }
  return headers
}

function variesByOrigin(headers: ResponseHeaders): boolean {
  if (!Array.isArray(headers)) return true
  return headers.some(
    (header) =>
      Array.isArray(header) &&
      String(header[0]).toLowerCase() === 'vary' &&
      String(header[1])
        .split(',')
        .some((name) => ['origin', '*'].includes(name.trim().toLowerCase())),
  )
}
