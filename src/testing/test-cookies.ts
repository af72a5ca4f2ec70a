import { Cookie, CookieJar, MemoryCookieStore } from 'tough-cookie'
import { TestClientError } from './test-client-error.ts'

/** A cookie that a test client keeps. */
export interface TestCookie {
  name: string
  value: string
  domain: string
  path: string
  secure: boolean
  httpOnly: boolean
  /** `strict`, `lax`, `none`, or undefined if it was not set. */
  sameSite: string | undefined
  /** When it expires; undefined if it lasts as long as the client. */
  expires: Date | undefined
}

/** The attributes of a cookie. */
export interface TestCookieOptions {
  /** Defaults to `/`. */
  path?: string
  /** A domain whose subdomains get the cookie too. Defaults to the host of the base URL alone. */
  domain?: string
  secure?: boolean
  httpOnly?: boolean
  sameSite?: 'strict' | 'lax' | 'none'
  expires?: Date
  /** In seconds. */
  maxAge?: number
}

/**
 * The cookies of a test client, kept and sent by the rules of RFC 6265 (Domain, Path, Secure,
 * Expires). Cookies that a browser would reject are not kept. As in browsers, `localhost` counts as
 * secure.
 *
 * @example
 * client.cookies.set('theme', 'dark')
 * await client.post('/login', { form: { name: 'ada' } })
 * client.cookies.get('session')?.httpOnly // true
 */
export class TestCookies {
  readonly #store = new MemoryCookieStore()
  readonly #jar = new CookieJar(this.#store)
  readonly #url: string

  /** @param url the base URL. Cookies without a domain belong to its host */
  constructor(url: string) {
    this.#url = url
  }

  /** All cookies that are kept. Those with longer paths come first. */
  all(): TestCookie[] {
    const now = Date.now()
    return (this.#jar.serializeSync()?.cookies ?? [])
      .map((serialized) => Cookie.fromJSON(serialized))
      .filter((cookie) => cookie !== undefined)
      .filter((cookie) => (cookie.expiryTime() ?? Number.POSITIVE_INFINITY) > now)
      .map(describeCookie)
      .sort((one, other) => other.path.length - one.path.length)
  }

  /**
   * The cookie with this name. If there are several, the one with the longest path.
   *
   * @param where selects a cookie by its domain or path
   */
  get(name: string, where: { domain?: string; path?: string } = {}): TestCookie | undefined {
    return this.all().find((cookie) => isAt(cookie, name, where))
  }

  /**
   * Keeps a cookie as if the application had set it.
   *
   * @throws TestClientError (`bad-option`) if browsers would reject it
   */
  set(name: string, value: string, options: TestCookieOptions = {}): void {
    checkCookie(name, value)
    const { path = '/', domain, expires, ...rest } = options
    const cookie = new Cookie({
      key: name,
      value,
      path,
      ...(domain === undefined ? {} : { domain: domain.replace(/^\./, '').toLowerCase() }),
      ...(expires === undefined ? {} : { expires }),
      ...rest,
    })
    const url = domain === undefined ? this.#url : `https://${domain.replace(/^\./, '')}/`
    try {
      this.#jar.setCookieSync(cookie, url)
    } catch (error) {
      throw new TestClientError(
        'bad-option',
        `The cookie ${name} cannot be set: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      )
    }
  }

  /** Removes the cookies with this name. @param where selects them by domain or path */
  delete(name: string, where: { domain?: string; path?: string } = {}): void {
    for (const cookie of this.all()) {
      if (isAt(cookie, name, where))
        this.#store.removeCookie(cookie.domain, cookie.path, name, () => {})
    }
  }

  /** Removes all cookies. */
  clear(): void {
    this.#jar.removeAllCookiesSync()
  }

  /** Keeps the cookies that a response sets. */
  take(setCookies: readonly string[], url: string): void {
    for (const line of setCookies) this.#jar.setCookieSync(line, url, { ignoreError: true })
  }

  /**
   * The Cookie header of a request; `''` for none.
   *
   * @param own replace kept ones of the same name
   */
  header(url: string, own: Readonly<Record<string, string>> = {}): string {
    for (const [name, value] of Object.entries(own)) checkCookie(name, value)
    const kept = this.#jar.getCookiesSync(url).filter((cookie) => !Object.hasOwn(own, cookie.key))
    return [
      ...kept.map((cookie) => cookie.cookieString()),
      ...Object.entries(own).map(([name, value]) => `${name}=${value}`),
    ].join('; ')
  }
}

function describeCookie(cookie: Cookie): TestCookie {
  const end = cookie.expiryTime()
  return {
    name: cookie.key,
    value: cookie.value,
    domain: cookie.domain ?? '',
    path: cookie.path ?? '/',
    secure: cookie.secure,
    httpOnly: cookie.httpOnly,
    sameSite: cookie.sameSite,
    expires: end === undefined || end === Number.POSITIVE_INFINITY ? undefined : new Date(end),
  }
}

function isAt(
  cookie: TestCookie,
  name: string,
  where: { domain?: string; path?: string },
): boolean {
  return (
    cookie.name === name &&
    (where.domain === undefined ||
      cookie.domain === where.domain.replace(/^\./, '').toLowerCase()) &&
    (where.path === undefined || cookie.path === where.path)
  )
}

/**
 * Checks a cookie by RFC 6265 §4.1.1. Quotes, commas and spaces within a value, and bytes beyond
 * ASCII, are allowed, because all browsers accept them.
 */
function checkCookie(name: string, value: string): void {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name))
    throw new TestClientError(
      'bad-option',
      `${JSON.stringify(name)} cannot be the name of a cookie`,
    )
  if (
    !/^(?:[\x21-\x3a\x3c-\x7e\x80-\xff](?:[\x20-\x3a\x3c-\x7e\x80-\xff]*[\x21-\x3a\x3c-\x7e\x80-\xff])?)?$/.test(
      value,
    )
  )
    throw new TestClientError(
      'bad-option',
      `${JSON.stringify(value)} cannot be the value of the cookie ${name}: ` +
        'it must be latin-1 text without control characters and semicolons',
    )
}
