/**
 * Tells an application behind proxies about the client instead of the nearest proxy: its address,
 * the scheme, host and path that it asked for. Proxies say so in `X-Forwarded-For` and its kin, or
 * in `Forwarded` (RFC 7239).
 *
 * **Only behind a proxy that sets each header you count.** Each proxy adds its value at the right,
 * and everything to the left of what your own proxies have added is the client's word. So you say,
 * for each header, how many of your proxies add to it (as with Werkzeug's `ProxyFix`, whose
 * defaults these are), and the value of the outermost of them is taken. Where there are fewer
 * values than that, or that value is malformed, the header is ignored. A count that is too high, or
 * a server that can be reached past its proxies, lets clients be whoever they like.
 *
 * @example
 * import { proxyFix } from 'monoceros'
 *
 * // behind one nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; …
 * X-Forwarded-Proto $scheme; … X-Forwarded-Host $host; export const app = proxyFix({ host: 1
 * })(site) // behind one proxy that speaks RFC 7239 export const other = proxyFix({ forwarded: 1
 * })(site)
 *
 * @module
 */
import { splitAuthority } from '../../semantics/authority.ts'
import { forwardedElement, parseNode } from '../../semantics/forwarded.ts'
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

/**
 * Options of {@link proxyFix}: how many of your proxies add to each header. 0: it is not looked at.
 */
export interface ProxyFixOptions {
  /** `X-Forwarded-For`, for `REMOTE_ADDR`. Default 1 (0 with `forwarded`). */
  readonly for?: number
  /** `X-Forwarded-Proto`, for `wsgi.url_scheme`. Default 1 (0 with `forwarded`). */
  readonly proto?: number
  /**
   * `X-Forwarded-Host`, for `HTTP_HOST`, `SERVER_NAME` and, where it names one, `SERVER_PORT`.
   * Default 0.
   */
  readonly host?: number
  /** `X-Forwarded-Port`, for `SERVER_PORT` and the port in `HTTP_HOST`. Default 0. */
  readonly port?: number
  /** `X-Forwarded-Prefix`, for `SCRIPT_NAME`, which it replaces. Default 0. */
  readonly prefix?: number
  /**
   * `Forwarded`, in place of all of these but `prefix`: its `for` sets `REMOTE_ADDR` and
   * `REMOTE_PORT`, `proto` and `host` do what is said above. `true` is 1. Default 0.
   *
   * A client that its proxy will not name (`for=unknown`, `for=_hidden`) has the `REMOTE_ADDR`
   * `''`: it is not the proxy.
   */
  readonly forwarded?: number | boolean
}

/**
 * The values that {@link proxyFix} may change, as they came:
 * `environ['monoceros.proxyFix.original']`. What was absent is absent.
 */
export type ProxyFixOriginal = {
  [key in (typeof CHANGED)[number]]?: string
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
 * @throws TypeError or RangeError (`bad-option`): for a count that is none, and for counts of
 * `Forwarded` and of what it stands for at once
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
      `proxyFix: takes an object such as { for: 1 }, and then the application; not ${describeValue(options)}`,
    )
  }
  for (const name of Object.keys(options)) {
    // A name that is misspelt would leave a header untrusted, or, worse, trusted by default.
    if (!(OPTIONS as readonly string[]).includes(name)) {
      throw optionError(TypeError, `proxyFix: has no option ${name}; it has ${OPTIONS.join(', ')}`)
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
      `proxyFix: ${name} must be the number of proxies that set the header, 0 or more, not ${describeValue(counts[name])}`,
    )
  }
  for (const name of ['for', 'proto', 'host', 'port'] as const) {
    // A proxy that sets the one passes on what clients send as the other.
    if (forwarded === 0 || counts[name] === 0) continue
    throw optionError(
      RangeError,
      `proxyFix: forwarded and ${name} cannot be trusted at once; keep the one that your proxy sets`,
    )
  }
  return counts
}
