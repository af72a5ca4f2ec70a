import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'

/** Which origins may read: see {@link CorsOptions.origin}. */
export type OriginRule =
  | string
  | RegExp
  | readonly (string | RegExp)[]
  | ((origin: string, environ: WSGIEnvironment) => boolean | Promise<boolean>)

/** Options of `cors`. */
export interface CorsOptions {
  /**
   * The origins that may read: one (`https://shop.example`, as browsers send it: no slash at the
   * end), a list, a pattern, which must match the whole origin, or a function. Default `*`: all.
   */
  readonly origin?: OriginRule
  /** The methods that pages may use. Default GET, HEAD, POST, PUT, PATCH and DELETE. */
  readonly methods?: readonly string[]
  /** The request headers that pages may send. Default: those that the preflight asks for. */
  readonly allowedHeaders?: readonly string[]
  /** The response headers that pages may read, besides those that all may. Default none. */
  readonly exposedHeaders?: readonly string[]
  /** Pages may send cookies and read what comes for them. Not together with `*`. Default false. */
  readonly credentials?: boolean
  /**
   * For how many seconds a browser may keep the answer to a preflight. Default: the browser's own
   * (5 seconds).
   */
  readonly maxAge?: number
  /**
   * Public pages may ask a server in a private network (`Access-Control-Allow-Private-Network`).
   * Default false.
   */
  readonly privateNetwork?: boolean
}

/** The options of `cors`, checked, and as they are sent. */
export interface CorsPolicy {
  readonly anyOrigin: boolean
  readonly allows: (origin: string, environ: WSGIEnvironment) => boolean | Promise<boolean>
  readonly methods: string
  /** null: those that are asked for. */
  readonly allowedHeaders: string | null
  readonly exposed: string
  readonly credentials: boolean
  readonly maxAge: string | null
  readonly privateNetwork: boolean
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const DEFAULT_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** @throws TypeError or RangeError (`bad-option`) */
export function checkPolicy(options: CorsOptions): CorsPolicy {
  const { origin = '*', methods = DEFAULT_METHODS, maxAge } = options
  const credentials = checkFlag('credentials', options.credentials)
  const anyOrigin = origin === '*'
  if (anyOrigin && credentials) {
    throw optionError(
      RangeError,
      'cors: credentials need the origins that may have them (browsers refuse "*"); name them in the option origin',
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
    // Fetch sends `patch` as it stands, and such a method is not PATCH (RFC 9110 §9.1).
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
      // The whole origin: /shop\.example/ would let in https://shop.example.evil.test. Without g
      // and y, which remember where they were.
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
      `cors: origin must be a string, a RegExp, a list of these or a function, not ${describeValue(origin)}`,
    )
  }
  if (origin === '*') {
    throw optionError(
      RangeError,
      'cors: "*" in a list of origins is all of them; write origin: "*"',
    )
  }
  if (origin === 'null') {
    // Any page can make itself a frame with this origin.
    if (!credentials) return origin
    throw optionError(
      RangeError,
      'cors: the origin "null" is anybody\'s, and cannot be given credentials',
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
    `cors: the origin ${JSON.stringify(origin)} is not as browsers send it; write it like ${JSON.stringify(advice)}`,
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
        `cors: ${option} must be a list of names; ${describeValue(value)} is none`,
      )
    }
    if (value === '*' && credentials) {
      throw optionError(
        RangeError,
        `cors: "*" in ${option} means nothing with credentials; write the names`,
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
