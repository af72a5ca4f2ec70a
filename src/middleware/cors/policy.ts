import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'

/** Selects the origins that may read responses. See {@link CorsOptions.origin}. */
export type OriginRule =
  | string
  | RegExp
  | readonly (string | RegExp)[]
  | ((origin: string, environ: WSGIEnvironment) => boolean | Promise<boolean>)

/** Options of `cors`. */
export interface CorsOptions {
  /**
   * The origins that may read responses: one origin as browsers send it (`https://shop.example`,
   * without a slash at the end), a pattern that must match the whole origin, a list of these, or a
   * function. Defaults to `*`, all origins.
   */
  readonly origin?: OriginRule
  /** The methods that pages may use. Defaults to GET, HEAD, POST, PUT, PATCH and DELETE. */
  readonly methods?: readonly string[]
  /** The request headers that pages may send. Defaults to those that the preflight asks for. */
  readonly allowedHeaders?: readonly string[]
  /** The response headers that pages may read, besides the safelisted ones. Defaults to none. */
  readonly exposedHeaders?: readonly string[]
  /**
   * Whether pages may send cookies, and read the responses. Cannot be combined with `*`. Defaults
   * to false.
   */
  readonly credentials?: boolean
  /**
   * How long browsers may cache the answer to a preflight, in seconds. Defaults to 5 in browsers.
   */
  readonly maxAge?: number
  /**
   * Whether public pages may send requests to this server in a private network
   * (`Access-Control-Allow-Private-Network`). Defaults to false.
   */
  readonly privateNetwork?: boolean
}

/** The options of `cors`, checked and in the form in which they are sent. */
export interface CorsPolicy {
  readonly anyOrigin: boolean
  readonly allows: (origin: string, environ: WSGIEnvironment) => boolean | Promise<boolean>
  readonly methods: string
  /** Null allows the headers that the preflight asks for. */
  readonly allowedHeaders: string | null
  readonly exposed: string
  readonly credentials: boolean
  readonly maxAge: string | null
  readonly privateNetwork: boolean
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const DEFAULT_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** @throws TypeError or RangeError (`bad-option`) if an option is wrong */
export function checkPolicy(options: CorsOptions): CorsPolicy {
  const { origin = '*', methods = DEFAULT_METHODS, maxAge } = options
  const credentials = checkFlag('credentials', options.credentials)
  const anyOrigin = origin === '*'
  if (anyOrigin && credentials) {
    throw optionError(
      RangeError,
      'cors: credentials cannot be used with origin "*", which browsers refuse; ' +
        'name the origins in the option origin',
    )
  }
  if (maxAge !== undefined && !(Number.isSafeInteger(maxAge) && maxAge >= 0)) {
    throw optionError(
      RangeError,
      `cors: maxAge must be a whole number of seconds, 0 or more, not ${describeValue(maxAge)}`,
    )
  }
  const methodList = tokenList('methods', methods, credentials)
  for (const method of methods) {
    // Methods are case-sensitive (RFC 9110 §9.1): fetch sends `patch` as it is.
    if (method === method.toUpperCase()) continue
    throw optionError(
      RangeError,
      `cors: methods are case-sensitive: write ${method.toUpperCase()}, not ${method}`,
    )
  }
  return {
    anyOrigin,
    allows: anyOrigin ? () => true : originTest(origin, credentials),
    methods: methodList,
    allowedHeaders:
      options.allowedHeaders === undefined
        ? null
        : tokenList('allowedHeaders', options.allowedHeaders, credentials),
    exposed: tokenList('exposedHeaders', options.exposedHeaders ?? [], credentials),
    credentials,
    maxAge: maxAge === undefined ? null : String(maxAge),
    privateNetwork: checkFlag('privateNetwork', options.privateNetwork),
  }
}

function originTest(rule: OriginRule, credentials: boolean): CorsPolicy['allows'] {
  if (typeof rule === 'function') return rule
  const names = new Set<string>()
  const patterns: RegExp[] = []
  for (const one of Array.isArray(rule) ? (rule as readonly (string | RegExp)[]) : [rule]) {
    if (one instanceof RegExp) {
      // The whole origin must match: /shop\.example/ would allow https://shop.example.evil.test.
      // Flags g and y are removed, because they keep state between tests.
      patterns.push(new RegExp(`^(?:${one.source})$`, one.flags.replace(/[gy]/g, '')))
    } else {
      names.add(checkOrigin(one, credentials))
    }
  }
  return (origin) => names.has(origin) || patterns.some((pattern) => pattern.test(origin))
}

function checkOrigin(origin: unknown, credentials: boolean): string {
  if (typeof origin !== 'string') {
    throw optionError(
      TypeError,
      'cors: origin must be a string, a RegExp, a list of these or a function, ' +
        `not ${describeValue(origin)}`,
    )
  }
  if (origin === '*') {
    throw optionError(
      RangeError,
      'cors: "*" in a list of origins allows all origins; write origin: "*"',
    )
  }
  if (origin === 'null') {
    // Any page can create a frame with this origin.
    if (!credentials) return origin
    throw optionError(
      RangeError,
      'cors: the origin "null" cannot be used with credentials, because any page can have it',
    )
  }
  const parts = /^([a-z][a-z0-9+.-]*):\/\/[^\s,/?#@\\"<>]+$/i.exec(origin)
  let sent = origin.toLowerCase()
  if (parts === null) sent = ''
  else if (/^https?$/i.test(parts[1]!)) sent = URL.canParse(origin) ? new URL(origin).origin : ''
  if (sent !== '' && sent === origin) return origin
  const url = URL.canParse(origin) ? new URL(origin).origin : 'null'
  const advice = sent !== '' ? sent : url !== 'null' ? url : 'https://shop.example'
  throw optionError(
    RangeError,
    `cors: the origin ${JSON.stringify(origin)} is not as browsers send it; ` +
      `write it like ${JSON.stringify(advice)}`,
  )
}

function tokenList(option: string, values: readonly string[], credentials: boolean): string {
  if (!Array.isArray(values)) {
    throw optionError(
      TypeError,
      `cors: ${option} must be a list of names, not ${describeValue(values)}`,
    )
  }
  for (const value of values as readonly unknown[]) {
    if (typeof value !== 'string' || !TOKEN.test(value)) {
      throw optionError(
        RangeError,
        `cors: ${option} must be a list of names, without ${describeValue(value)}`,
      )
    }
    if (value === '*' && credentials) {
      throw optionError(
        RangeError,
        `cors: "*" in ${option} has no effect with credentials; write the names`,
      )
    }
  }
  return values.join(', ')
}

function checkFlag(option: string, value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value === 'boolean') return value
  throw optionError(TypeError, `cors: ${option} must be true or false, not ${describeValue(value)}`)
}
