import { decodePercent } from '../../semantics/percent.ts'
import { decodeText } from '../../wsgi/text.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'

const MASK = '********'
/** A name that says that its value is nobody's business. Rather one too many. */
const SECRET_NAME =
  /auth|cookie|pass(?!ive|enger)|pwd|secret|token|key|credential|session|signature|jwt|csrf|otp$|(^|[_-])pin$/i
/**
 * What is a secret whatever its name: a JSON Web Token, credentials with their scheme. The head of
 * a token has a bound, or text that begins one again and again would be gone through as many times.
 */
const SECRET_VALUE =
  /\beyJ[\w-]{5,2000}\.[\w-]+\.[\w-]*|\b(?:Basic|Bearer|Digest|Negotiate)\s+\S.*/gi
/** Credentials in a URL: `//user:password@` (RFC 3986 §3.2.1). */
const USER_INFO = /(\/\/[^/?#\s:@]*):[^/?#\s@]*@/g
const LONGEST_VALUE = 2000

/**
 * The variables of an environ as text for people, sorted, with what is or may be a secret masked:
 * by name (`HTTP_AUTHORIZATION`, anything like password, secret, token, key, session), the values
 * of cookies, such parameters of query strings, credentials in URLs, tokens known by their form.
 *
 * It masks what it knows; a secret in an innocent place stays readable.
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

/** A request line, a target, or any other text with what looks like a secret in it masked. */
export function maskedText(text: string): string {
  return maskedParameters(text).replace(SECRET_VALUE, MASK).replace(USER_INFO, `$1:${MASK}@`)
}

/** Middleware may have put text that is no view of bytes. */
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

/** In query strings, targets and referring addresses: `?token=…`, also with an encoded name. */
function maskedParameters(text: string): string {
  return text.replace(
    /(^|[?&;#])([^?&;#=\s]+)=([^&;#\s]*)/g,
    (whole, before: string, name: string) =>
      SECRET_NAME.test(decodePercent(name)) ? `${before}${name}=${MASK}` : whole,
  )
}
