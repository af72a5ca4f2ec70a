import { latin1Text } from '../wsgi/text.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { isList } from './list.ts'
import type { RequestContent } from './request-content.ts'
import { TestClientError } from './test-client-error.ts'
import type { TestBase } from './test-location.ts'

/** Request headers by name, or as pairs if a name is repeated. Values are latin-1 text. */
export type TestRequestHeaders =
  | Readonly<Record<string, string | undefined>>
  | readonly (readonly [name: string, value: string])[]

/** A user name and a password for HTTP Basic authentication (RFC 7617). */
export interface TestCredentials {
  username: string
  password: string
}

/** A method or a header's name (RFC 9110 §5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FIELD_VALUE = /^[^\x00-\x08\x0a-\x1f\x7f\u0100-\uffff]*$/
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])

/** The headers as a list. @throws TestClientError (`bad-option`) if one cannot be sent */
export function headerList(headers: TestRequestHeaders = []): ResponseHeaders {
  const list: ResponseHeaders = []
  for (const [name, value] of isList(headers) ? headers : Object.entries(headers)) {
    if (value === undefined) continue
    if (typeof name !== 'string' || !TOKEN.test(name))
      throw new TestClientError(
        'bad-option',
        `headers: ${describeValue(name)} is not a valid name (RFC 9110 §5.1)`,
      )
    if (name.includes('_')) {
      throw new TestClientError(
        'bad-option',
        `headers: servers drop ${name} because of its underscore; ` +
          `did you mean ${name.replaceAll('_', '-')}?`,
      )
    }
    if (typeof value !== 'string' || !FIELD_VALUE.test(value)) {
      throw new TestClientError(
        'bad-option',
        `headers: ${name} cannot be ${describeValue(value)}; ` +
          'it must be latin-1 text without control characters (encode other text with encodeText)',
      )
    }
    list.push([name, value])
  }
  return list
}

/** The headers that a test sets: those of the client, and those of the request, which win. */
export function askedHeaders(
  common: ResponseHeaders,
  options: { headers?: TestRequestHeaders; auth?: TestCredentials },
): ResponseHeaders {
  const own = headerList(options.headers)
  if (options.auth !== undefined) {
    if (own.some(([name]) => name.toLowerCase() === 'authorization'))
      throw new TestClientError(
        'bad-option',
        'auth and the header Authorization exclude each other; set one of them',
      )
    own.push(['Authorization', basicAuth(options.auth)])
  }
  const named = new Set(own.map(([name]) => name.toLowerCase()))
  return [...common.filter(([name]) => !named.has(name.toLowerCase())), ...own]
}

/** What decides about the headers that a client sends by itself. */
export interface SentRequest {
  readonly method: string
  readonly content: RequestContent
  readonly base: TestBase
  /** The value of the Cookie header; empty for none. */
  readonly cookies: string
}

/** All headers of a request: adds those that a client sends by itself. */
export function sentHeaders(
  asked: ResponseHeaders,
  { method, content, base, cookies }: SentRequest,
): ResponseHeaders {
  const headers: ResponseHeaders = []
  const named = new Set(asked.map(([name]) => name.toLowerCase()))
  const add = (name: string, value: string) => {
    if (!named.has(name.toLowerCase())) headers.push([name, value])
  }
  add('Host', base.host)
  if (content.type !== undefined) add('Content-Type', content.type)
  if (content.body instanceof Uint8Array) add('Content-Length', String(content.body.length))
  // A request with a method that expects a body declares an empty one (RFC 9110 §8.6).
  else if (content.body === null && BODY_METHODS.has(method)) add('Content-Length', '0')
  else if (content.body !== null && !named.has('content-length'))
    add('Transfer-Encoding', 'chunked')
  headers.push(...asked)
  if (cookies !== '') headers.push(['Cookie', cookies])
  return headers
}
function basicAuth({ username, password }: TestCredentials): string {
  if (username.includes(':'))
    throw new TestClientError(
      'bad-option',
      `auth: the username ${JSON.stringify(username)} must not have a colon (RFC 7617)`,
    )
  const bytes = new TextEncoder().encode(`${username}:${password}`)
  return `Basic ${btoa(latin1Text(bytes))}`
}
