import { decodeText } from '../wsgi/text.ts'
import { TestClientError } from './test-client-error.ts'

const encoder = new TextEncoder()

/** The parsed base URL of the application. */
export interface TestBase {
  readonly scheme: 'http' | 'https'
  /** The Host header: with a port only if it is not the default of the scheme. */
  readonly host: string
  readonly hostname: string
  readonly port: string
  /** The origin: `https://shop.example`. */
  readonly origin: string
  /** The path of the application, percent-encoded, without a slash at its end; `''` at the root. */
  readonly mount: string
}

/** Parses a base URL. @throws TestClientError (`bad-option`) if it cannot be one */
export function parseBase(baseUrl: string | URL): TestBase {
  const wrong = (why: string) =>
    new TestClientError('bad-option', `The baseUrl ${JSON.stringify(String(baseUrl))} ${why}`)
  if (!URL.canParse(String(baseUrl)))
    throw wrong('is not a URL; write one such as "https://shop.example/store"')
  const url = new URL(baseUrl)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw wrong('must begin with http:// or https://')
  if (url.search !== '' || url.hash !== '') throw wrong('must not have a query or a fragment')
  if (url.username !== '' || url.password !== '')
    throw wrong('must not have credentials; use the option auth')
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.host,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (scheme === 'https' ? '443' : '80'),
    origin: url.origin,
    mount: url.pathname.replace(/\/+$/, ''),
  }
}

/**
 * The request target below the mount, from the path that a test gives: `/cart`, `?page=2`, or a
 * whole URL such as one of a Location header.
 *
 * Characters that a URL cannot have are percent-encoded. The path is not changed otherwise, so that
 * a test can send `/../x` or `//x`.
 *
 * @throws TestClientError (`bad-option`) if the path is outside the application
 */
export function targetOf(path: string, query: string, base: TestBase): string {
  let target = path
  const absolute = /^https?:\/\/[^/?#]*/i.exec(path)
  if (absolute !== null) {
    if (!URL.canParse(path) || new URL(path).origin !== base.origin) {
      throw new TestClientError(
        'bad-option',
        `${JSON.stringify(path)} is not a URL of the application at ${base.origin}${base.mount}; ` +
          'set baseUrl if the application is elsewhere',
      )
    }
    target = path.slice(absolute[0].length)
    const rest = withoutMount(target, base.mount)
    if (rest === null) {
      throw new TestClientError(
        'bad-option',
        `${JSON.stringify(path)} is outside the application at ${base.origin}${base.mount}`,
      )
    }
    target = rest
  } else if (path !== '' && !/^[/?#]/.test(path)) {
    throw new TestClientError(
      'bad-option',
      `The path ${JSON.stringify(path)} must begin with a slash`,
    )
  }
  const hash = target.indexOf('#')
  if (hash !== -1) target = target.slice(0, hash)
  target = target.replace(/[^\x21-\x7e]+/g, (text) =>
    Array.from(
      encoder.encode(text),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  )
  // A path may be empty only under a mount. At the root it is "/" (RFC 9110 §4.2.3).
  if (base.mount === '' && !target.startsWith('/')) target = `/${target}`
  if (query === '') return target
  return target + (target.includes('?') ? (/[?&]$/.test(target) ? '' : '&') : '?') + query
}

/** The rest of a path after the mount, or null if the path is not below it. */
function withoutMount(target: string, mount: string): string | null {
  if (!target.startsWith(mount)) return null
  const rest = target.slice(mount.length)
  return rest === '' || /^[/?#]/.test(rest) ? rest : null
}

/**
 * The target of a redirect.
 *
 * It must be below the base URL. A redirect from http to https on the same host is allowed too,
 * because it usually leads to the same application.
 *
 * @param from the URL of the request that was redirected
 * @throws TestClientError (`bad-redirect`) if the Location is not a URL, (`redirect-leaves`) if it
 * leads out of the application
 */
export function redirectTarget(
  location: string,
  from: string,
  base: TestBase,
): { base: TestBase; target: string } {
  const text = decodeText(location)
  if (!URL.canParse(text, from)) {
    throw new TestClientError(
      'bad-redirect',
      `${from} redirects to ${JSON.stringify(text)}, which is not a URL`,
    )
  }
  const url = new URL(text, from)
  const secured = base.scheme === 'http' && url.origin === `https://${base.host}`
  const rest = withoutMount(url.pathname, base.mount)
  if ((url.origin !== base.origin && !secured) || rest === null) {
    throw new TestClientError(
      'redirect-leaves',
      `${from} redirects to ${url.href}, outside the application at ` +
        `${base.origin}${base.mount}; do not follow this redirect, and check its Location`,
    )
  }
  const next: TestBase = secured
    ? { ...base, scheme: 'https', port: '443', origin: url.origin }
    : base
  return { base: next, target: targetOf(rest + url.search, '', next) }
}
