/**
 * Allows pages of other origins to read the responses of an application (Cross-Origin Resource
 * Sharing, Fetch Standard §3.3).
 *
 * It answers preflight requests (`OPTIONS` with `Access-Control-Request-Method`), and adds the
 * CORS headers to all other responses. Put it outside `errorHandler`, so that pages can read error
 * responses too.
 *
 * Do not use it to protect an application: it stops no request, and only relaxes what browsers
 * enforce. Pages of the same origin do not need it.
 *
 * @example
 * import { compose, cors, errorHandler } from 'monoceros'
 *
 * export const app = compose(
 *   cors({
 *     origin: ['https://shop.example', /https:\/\/[a-z0-9-]+\.preview\.example/],
 *     credentials: true,
 *     maxAge: 600,
 *   }),
 *   errorHandler(),
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

/** Headers of the application that are replaced: browsers refuse a response with two of them. */
const OWN: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
])
const NONE: ReadonlySet<string> = new Set()
/** A single origin. Sandboxed pages send `null`. */
const ORIGIN = /^(?:null|[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s,/?#@\\"<>]+)$/
const TOKENS = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*$/

/**
 * Makes a middleware that adds the CORS headers.
 *
 * A request of an origin that is not allowed gets the same response without these headers, so the
 * page cannot read it. Every response that depends on the origin has `Vary: Origin`, even if the
 * request had no origin, so that caches do not mix them up.
 *
 * @throws TypeError or RangeError (`bad-option`) if an option is wrong, for example `*` together
 * with `credentials`, an origin that no browser sends, or a negative `maxAge`
 * @example cors({ origin: 'https://shop.example', credentials: true })(api)
 */
export function cors(options: CorsOptions = {}): Middleware {
  const policy = checkPolicy(options)
  return function withCors(app) {
    const answer = answerFor(policy, toFunction(app))
    return function corsApplication(environ, startResponse) {
      const allowed = isAllowed(policy, environ)
      return typeof allowed === 'boolean'
        ? answer(environ, startResponse, allowed)
        : allowed.then((late) => answer(environ, startResponse, late))
    }
  }
}

/** Whether the page may read the response. False for a request without an origin. */
function isAllowed(policy: CorsPolicy, environ: WSGIEnvironment): boolean | Promise<boolean> {
  if (policy.anyOrigin) return true
  const origin = environ.HTTP_ORIGIN
  if (typeof origin !== 'string' || !ORIGIN.test(origin)) return false
  const allowed = policy.allows(origin, environ)
  // Only `true` allows it: a function that returns another truthy value must not by accident.
  return typeof allowed === 'object'
    ? Promise.resolve(allowed).then((late) => late === true)
    : allowed === true
}

/** Makes the function that answers, once it is known whether the page may read the response. */
function answerFor(policy: CorsPolicy, app: WSGIFunction) {
  return (
    environ: WSGIEnvironment,
    startResponse: StartResponse,
    allowed: boolean,
  ): WSGIBody | Promise<WSGIBody> => {
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
      // The application's own headers are removed even if the page may not read the response: this
      // middleware is the only policy.
      return startResponse(status, changeHeaders(headers, OWN, [...common, ...vary]), excInfo)
    })
  }
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
