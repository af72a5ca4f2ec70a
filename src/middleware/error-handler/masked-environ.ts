import { decodePercent } from '../../semantics/percent.ts'
import { decodeText } from '../../wsgi/text.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'

const MASK = '********'
/** Names of secret values. When in doubt, a name is included. */
const SECRET_NAME =
  /auth|cookie|pass(?!ive|enger)|pwd|secret|token|key|credential|session|signature|jwt|csrf|otp$|(^|[_-])pin$/i
/**
 * Values that are secret whatever their name: JSON Web Tokens, credentials with their scheme. The
 * head of a token has a maximum length, so that matching takes linear time.
 */
const SECRET_VALUE =
  /\beyJ[\w-]{5,2000}\.[\w-]+\.[\w-]*|\b(?:Basic|Bearer|Digest|Negotiate)\s+\S.*/gi
/** Credentials in a URL: `//user:password@` (RFC 3986 §3.2.1). */
const USER_INFO = /(\/\/[^/?#\s:@]*):[^/?#\s@]*@/g
const LONGEST_VALUE = 2000

/**
 * The variables of an environ as readable text, sorted. Values that may be secret are masked:
 * variables by name (`HTTP_AUTHORIZATION`, names with password, secret, token, key or session),
 * parameters of query strings by name, the values of cookies, credentials in URLs, and tokens that
 * can be recognized by their form.
 *
 * A secret that it cannot recognize stays readable.
 */
export function maskedEnviron(environ: WSGIEnvironment): [name: string, value: string][] {
  return Object.keys(environ)
    .filter((name) => environ[name] !== undefined)
    .sort()
    .map((name) => [name, maskedValue(name, environ[name])])
}

function maskedValue(name: string, value: unknown): string {
  if (typeof value !== 'string') {
    if (SECRET_NAME.test(name)) return MASK
    if (name === 'wsgi.version' && Array.isArray(value)) return `(${value.join(', ')})`
    return typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : describeValue(value)
  }
  const text = decodeView(value)
  if (text === '') return text
  if (name === 'HTTP_COOKIE') return maskedCookies(text)
  if (SECRET_NAME.test(name)) return MASK
  const masked = maskedText(text)
  return masked.length > LONGEST_VALUE ? `${masked.slice(0, LONGEST_VALUE)}…` : masked
}

/** Masks everything in a text that looks like a secret. */
export function maskedText(text: string): string {
  return maskedParameters(text).replace(SECRET_VALUE, MASK).replace(USER_INFO, `$1:${MASK}@`)
}

/** Decodes a value. Middleware may have set text that is not a view of bytes. */
function decodeView(value: string): string {
  try {
    return decodeText(value)
  } catch {
    return value
  }
}

function maskedCookies(header: string): string {
  return header
    .split(';')
    .map((pair) => {
      const equals = pair.indexOf('=')
      return equals === -1 ? MASK : `${pair.slice(0, equals).trim()}=${MASK}`
    })
    .join('; ')
}

/** Masks parameters of query strings such as `?token=…`, even if their name is encoded. */
function maskedParameters(text: string): string {
  return text.replace(
    /(^|[?&;#])([^?&;#=\s]+)=([^&;#\s]*)/g,
    (whole, before: string, name: string) =>
      SECRET_NAME.test(decodePercent(name)) ? `${before}${name}=${MASK}` : whole,
  )
}
