import { decodeText } from '../wsgi/text.ts'
import { TestClientError } from './test-client-error.ts'

const encoder = new TextEncoder()

/** Where the application under test is to be found: the base URL, taken apart. */
export interface TestBase {
  readonly scheme: 'http' | 'https'
  /** As the Host header has it: with a port only where it is not the scheme's own. */
  readonly host: string
  readonly hostname: string
  readonly port: string
  /** `https://shop.example` */
  readonly origin: string
  /**
   * The path of the application, percent-encoded, without a slash at its end; `''` for the root.
   */
  readonly mount: string
}

/** @throws TestClientError `bad-option` */
export function parseBase(baseUrl: string | URL): TestBase {
  const wrong = (why: string) =>
    new TestClientError('bad-option', `The baseUrl ${JSON.stringify(String(baseUrl))} ${why}`)
  if (!URL.canParse(String(baseUrl)))
    throw wrong('is no URL; it must be like "https://shop.example/store"')
  const url = new URL(baseUrl)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw wrong('must begin with http:// or https://')
  if (url.search !== '' || url.hash !== '') throw wrong('must end with its path')
  if (url.username !== '' || url.password !== '')
    throw wrong('must have no user in it; the option auth is for that')
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
 * The target behind the mount, from what a test gives as a path: `/cart`, `?page=2`, or a whole URL
 * such as one of a Location header.
 *
 * What a URL cannot hold is percent-encoded; all else stays as it is, so that a test can send
 * `/../x` or `//x`.
 *
 * @throws TestClientError `bad-option`
 */
export function targetOf(path: string, query: string, base: TestBase): string {
  let target = path
  const absolute = /^https?:\/\/[^/?#]*/i.exec(path)
  if (absolute !== null) {
    if (!URL.canParse(path) || new URL(path).origin !== base.origin) {
      throw new TestClientError(
        'bad-option',
        `${JSON.stringify(path)} is not of the application, which is at ${base.origin}${base.mount}; the option baseUrl says where it is`,
      )
    }
    target = path.slice(absolute[0].length)
    const rest = withoutMount(target, base.mount)
    if (rest === null) {
      throw new TestClientError(
        'bad-option',
        `${JSON.stringify(path)} is outside the application, which is at ${base.origin}${base.mount}`,
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
  // Only under a mount a path may be empty: that of the root is "/" (RFC 9110 §4.2.3).
  if (base.mount === '' && !target.startsWith('/')) target = `/${target}`
  if (query === '') return target
  return target + (target.includes('?') ? (/[?&]$/.test(target) ? '' : '&') : '?') + query
}

/** A path behind the mount, or null where it is not there. */
function withoutMount(target: string, mount: string): string | null {
  if (!target.startsWith(mount)) return null
  const rest = target.slice(mount.length)
  return rest === '' || /^[/?#]/.test(rest) ? rest : null
}

/**
 * Where a redirect leads.
 *
 * It may lead from http to https on the same host: that is where the same application is in most
 * places. Anything else that is not below the application's own URL has left it.
 *
 * @param from the URL of the request that was redirected
 * @throws TestClientError `bad-redirect`, `redirect-leaves`
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
      `${from} redirects to ${JSON.stringify(text)}, which is no URL`,
    )
  }
  const url = new URL(text, from)
  const secured = base.scheme === 'http' && url.origin === `https://${base.host}`
  const rest = withoutMount(url.pathname, base.mount)
  if ((url.origin !== base.origin && !secured) || rest === null) {
    throw new TestClientError(
      'redirect-leaves',
      `${from} redirects to ${url.href}, which is not of the application at ${base.origin}${base.mount}: do not follow this one, and look at its Location`,
    )
  }
  const next: TestBase = secured
    ? { ...base, scheme: 'https', port: '443', origin: url.origin }
    : base
  return { base: next, target: targetOf(rest + url.search, '', next) }
}
