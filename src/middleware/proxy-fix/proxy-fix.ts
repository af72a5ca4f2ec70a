/**
 * Gives an application behind proxies the facts of the client instead of those of the nearest
 * proxy: the address, and the scheme, host and path that were requested. Proxies send these in
 * `X-Forwarded-For` and related headers, or in `Forwarded` (RFC 7239).
 *
 * Each proxy appends its value at the right, and a client can send anything to the left of it. So
 * you set, for each header, how many of your proxies append to it, as with Werkzeug's `ProxyFix`,
 * which has the same defaults. The value of the outermost of these proxies is used. A header with
 * fewer values, or with a malformed one, is ignored.
 *
 * **Do not use it without a proxy that sets each header you count.** If a count is too high, or
 * clients can reach the server without the proxies, clients can claim any address.
 *
 * @example
 * import { proxyFix } from 'monoceros'
 *
 * // Behind one nginx with
 * //   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
 * //   proxy_set_header X-Forwarded-Proto $scheme;
 * //   proxy_set_header X-Forwarded-Host $host;
 * export const app = proxyFix({ host: 1 })(site)
 *
 * // Behind one proxy that sends Forwarded (RFC 7239)
 * export const other = proxyFix({ forwarded: 1 })(site)
 *
 * @module
 */
import { splitAuthority } from '../../semantics/authority.ts'
import { forwardedElement } from '../../semantics/forwarded.ts'
import { parseNode } from '../../semantics/forwarded-node.ts'
import {
  isAuthority,
  isPort,
  isPrefix,
  isRemoteName,
  isScheme,
  listedValue,
} from '../../semantics/x-forwarded.ts'
import { toFunction } from '../../wsgi/application.ts'
import type { Middleware, WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'

/** Options of {@link proxyFix}: how many of your proxies append to each header. 0 ignores it. */
export interface ProxyFixOptions {
  /** `X-Forwarded-For`, for `REMOTE_ADDR`. Defaults to 1 (0 with `forwarded`). */
  readonly for?: number
  /** `X-Forwarded-Proto`, for `wsgi.url_scheme`. Defaults to 1 (0 with `forwarded`). */
  readonly proto?: number
  /**
   * `X-Forwarded-Host`, for `HTTP_HOST`, `SERVER_NAME` and, if it has a port, `SERVER_PORT`.
   * Defaults to 0.
   */
  readonly host?: number
  /** `X-Forwarded-Port`, for `SERVER_PORT` and the port in `HTTP_HOST`. Defaults to 0. */
  readonly port?: number
  /** `X-Forwarded-Prefix`, which replaces `SCRIPT_NAME`. Defaults to 0. */
  readonly prefix?: number
  /**
   * `Forwarded`, instead of all headers above except `X-Forwarded-Prefix`: `for` sets `REMOTE_ADDR`
   * and `REMOTE_PORT`, `proto` and `host` set the same variables as above. `true` means 1. Defaults
   * to 0.
   *
   * For a client that the proxy does not name (`for=unknown`, `for=_hidden`), `REMOTE_ADDR` is
   * `''`.
   */
  readonly forwarded?: number | boolean
}

/**
 * The original values of the variables that {@link proxyFix} may change:
 * `environ['monoceros.proxyFix.original']`. A variable that was absent is absent.
 */
export type ProxyFixOriginal = {
  [key in (typeof CHANGED)[number]]?: string
}

declare module '../../wsgi/types.ts' {
  interface WSGIEnvironment {
    /** What the variables were before the middleware `proxyFix` changed them. */
    'monoceros.proxyFix.original'?: ProxyFixOriginal | undefined
  }
}

const CHANGED = [
  'REMOTE_ADDR',
  'REMOTE_PORT',
  'wsgi.url_scheme',
  'HTTPS',
  'HTTP_HOST',
  'SERVER_NAME',
  'SERVER_PORT',
  'SCRIPT_NAME',
] as const

const OPTIONS = ['for', 'proto', 'host', 'port', 'prefix', 'forwarded'] as const

/**
 * Makes a middleware that takes the facts of the client from the headers of proxies.
 *
 * @throws RangeError (`bad-option`) for a value that is not a count, and for counts of both
 * `Forwarded` and a header that it replaces
 * @throws TypeError (`bad-option`) for an unknown option
 * @example proxyFix({ for: 2, host: 1 })(site)
 */
export function proxyFix(options: ProxyFixOptions = {}): Middleware {
  const count = checkCounts(options)
  return function withProxyFix(app) {
    const inner = toFunction(app)
    return function proxyFixApplication(environ, startResponse) {
      environ['monoceros.proxyFix.original'] = originalOf(environ)

      const forwarded = forwardedElement(environ.HTTP_FORWARDED, count.forwarded)
      if (forwarded !== null) {
        setClient(environ, forwarded.get('for'))
        setScheme(environ, forwarded.get('proto'))
        setHost(environ, forwarded.get('host'))
      }
      const address = listedValue(environ.HTTP_X_FORWARDED_FOR, count.for)
      if (isRemoteName(address)) environ.REMOTE_ADDR = address
      setScheme(environ, listedValue(environ.HTTP_X_FORWARDED_PROTO, count.proto))
      setHost(environ, listedValue(environ.HTTP_X_FORWARDED_HOST, count.host))
      setPort(environ, listedValue(environ.HTTP_X_FORWARDED_PORT, count.port))
      const prefix = listedValue(environ.HTTP_X_FORWARDED_PREFIX, count.prefix)
      if (isPrefix(prefix)) environ.SCRIPT_NAME = withoutSlashes(prefix)

      return inner(environ, startResponse)
    }
  }
}

function setClient(environ: WSGIEnvironment, value: string | undefined): void {
  const node = value === undefined ? null : parseNode(value)
  if (node === null) return
  environ.REMOTE_ADDR = node.address
  environ.REMOTE_PORT = node.port
}

function setScheme(environ: WSGIEnvironment, value: string | undefined): void {
  if (!isScheme(value)) return
  const scheme = value.toLowerCase()
  environ['wsgi.url_scheme'] = scheme
  if (scheme === 'https') environ.HTTPS = 'on'
  else delete environ.HTTPS
}

function setHost(environ: WSGIEnvironment, value: string | undefined): void {
  if (!isAuthority(value)) return
  environ.HTTP_HOST = value
  const authority = splitAuthority(value)
  if (authority === null) return
  environ.SERVER_NAME = authority.host
  if (authority.port !== '') environ.SERVER_PORT = authority.port
}

function setPort(environ: WSGIEnvironment, value: string | undefined): void {
  if (!isPort(value)) return
  const host = environ.HTTP_HOST
  if (host) environ.HTTP_HOST = `${splitAuthority(host)?.host ?? host}:${value}`
  environ.SERVER_PORT = value
}

/** `SCRIPT_NAME` has no slash at its end (PEP 3333 "environ Variables"). */
function withoutSlashes(prefix: string): string {
  let end = prefix.length
  while (end > 0 && prefix.endsWith('/', end)) end--
  return prefix.slice(0, end)
}

function originalOf(environ: WSGIEnvironment): ProxyFixOriginal {
  const original: ProxyFixOriginal = {}
  for (const key of CHANGED) {
    const value = environ[key]
    if (typeof value === 'string') original[key] = value
  }
  return original
}

function checkCounts(options: ProxyFixOptions): Record<(typeof OPTIONS)[number], number> {
  if (typeof options !== 'object' || options === null) {
    throw optionError(
      TypeError,
      'proxyFix: the argument must be an object such as { for: 1 }, ' +
        `not ${describeValue(options)}; pass the application to the result`,
    )
  }
  for (const name of Object.keys(options)) {
    // A misspelt name would leave a header untrusted or, worse, trusted by default.
    if (!(OPTIONS as readonly string[]).includes(name)) {
      throw optionError(
        TypeError,
        `proxyFix: there is no option ${name}; the options are ${OPTIONS.join(', ')}`,
      )
    }
  }
  const forwarded =
    options.forwarded === true ? 1 : options.forwarded === false ? 0 : (options.forwarded ?? 0)
  const byDefault = forwarded === 0 ? 1 : 0
  const counts = {
    for: options.for ?? byDefault,
    proto: options.proto ?? byDefault,
    host: options.host ?? 0,
    port: options.port ?? 0,
    prefix: options.prefix ?? 0,
    forwarded,
  }
  for (const name of OPTIONS) {
    if (Number.isSafeInteger(counts[name]) && counts[name] >= 0) continue
    throw optionError(
      RangeError,
      `proxyFix: ${name} must be the number of proxies that set the header, 0 or more, ` +
        `not ${describeValue(counts[name])}`,
    )
  }
  for (const name of ['for', 'proto', 'host', 'port'] as const) {
    // A proxy that sets one of them passes the other on as clients sent it.
    if (forwarded === 0 || counts[name] === 0) continue
    throw optionError(
      RangeError,
      `proxyFix: forwarded and ${name} cannot both be trusted; keep the one that your proxy sets`,
    )
  }
  return counts
}
