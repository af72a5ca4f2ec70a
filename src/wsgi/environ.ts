import { decodePercent } from '../semantics/percent.ts'
import { valueSeparator } from '../semantics/repeated-fields.ts'
import { consoleErrors } from './error-stream.ts'
import { emptyInput } from './input-stream.ts'
import { latin1Bytes } from './text.ts'
import type { ErrorStream, FileWrapperConstructor, InputStream, WSGIEnvironment } from './types.ts'

/**
 * The parts of a request that an environ is made of. Strings are latin-1 views of the bytes that
 * were sent, not decoded.
 */
export interface RequestFacts {
  readonly method: string
  /** The path at which the application is mounted, as it was sent: `/shop`. Defaults to `''`. */
  readonly mount?: string
  /** The path and query string after the mount, as they were sent: `/cart?item=3`. */
  readonly target: string
  /** The whole request target. Defaults to `mount` followed by `target`. */
  readonly requestUri?: string
  /** Names and values in the order in which they arrived, including repeated names. */
  readonly headers: Iterable<readonly [name: string, value: string]>
  /** Defaults to `HTTP/1.1`. */
  readonly protocol?: string
  /** `http` or `https`. Defaults to `http`. */
  readonly scheme?: string
  /** Defaults to `localhost`. */
  readonly serverName?: string
  /** Defaults to the port of the scheme, 80 or 443. */
  readonly serverPort?: string | number
  readonly remoteAddress?: string | undefined
  readonly remotePort?: string | number | undefined
  readonly serverSoftware?: string
  /** Defaults to an empty body. */
  readonly input?: InputStream
  /** Defaults to the console. */
  readonly errors?: ErrorStream
  readonly fileWrapper?: FileWrapperConstructor
  readonly multiprocess?: boolean
}

/**
 * Makes the environ of a request (PEP 3333 "environ Variables", RFC 3875 §4.1).
 *
 * Header names with an underscore are left out: `X_Real_IP` would pass for `X-Real-IP`; so is
 * `Proxy`, whose variable would name a proxy for outgoing requests ("httpoxy", CVE-2016-5385).
 * Several headers of one name are joined (RFC 9110 §5.3).
 *
 * @example
 * makeEnviron({ method: 'GET', target: '/a%20b?c=d', headers: [['Host', 'localhost']] }).PATH_INFO
 * // '/a b'
 */
export function makeEnviron(request: RequestFacts): WSGIEnvironment {
  const { mount = '', target, scheme = 'http' } = request
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const uri = request.requestUri ?? mount + target
  const environ: WSGIEnvironment = {
    REQUEST_METHOD: request.method,
    SCRIPT_NAME: decodePercent(mount),
    PATH_INFO: decodePercent(path),
    QUERY_STRING: question === -1 ? '' : target.slice(question + 1),
    REQUEST_URI: uri,
    RAW_URI: uri,
    SERVER_NAME: request.serverName ?? 'localhost',
    SERVER_PORT: String(request.serverPort ?? (scheme === 'https' ? 443 : 80)),
    SERVER_PROTOCOL: request.protocol ?? 'HTTP/1.1',
    SERVER_SOFTWARE: request.serverSoftware ?? 'monoceros',
    REMOTE_ADDR: request.remoteAddress ?? '',
    REMOTE_PORT: String(request.remotePort ?? ''),
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': scheme,
    'wsgi.input': request.input ?? emptyInput,
    'wsgi.errors': request.errors ?? consoleErrors,
    'wsgi.multithread': false,
    'wsgi.multiprocess': request.multiprocess ?? false,
    'wsgi.run_once': false,
    'wsgi.input_terminated': true,
  }
  if (request.fileWrapper !== undefined) environ['wsgi.file_wrapper'] = request.fileWrapper
  if (scheme === 'https') environ.HTTPS = 'on'
  for (const [name, value] of request.headers) addHeader(environ, name, value)
  return environ
}

/** Adds a request header to an environ. The value is joined to one of the same name. */
function addHeader(environ: WSGIEnvironment, name: string, value: string): void {
  if (name.includes('_')) return
  const lower = name.toLowerCase()
  if (lower === 'proxy') return
  const key = environKey(lower)
  const before = environ[key]
  environ[key] = before === undefined ? value : `${before}${valueSeparator(lower)}${value}`
}

/**
 * The name of the variable for a request header.
 *
 * @example environKey('Accept-Language') // 'HTTP_ACCEPT_LANGUAGE'
 * @example environKey('content-type') // 'CONTENT_TYPE'
 */
export function environKey(name: string): string {
  const key = name.toUpperCase().replaceAll('-', '_')
  return key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH' ? key : `HTTP_${key}`
}

/** What RFC 3986 §3.3 does not allow in a path. */
const NOT_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g

/**
 * Percent-encodes a path from an environ for use in a URL.
 *
 * @param encoded the characters to encode, as a global expression
 * @throws WSGIError for a character beyond U+00FF, which does not stand for a byte
 */
export function encodePercent(view: string, encoded = NOT_IN_PATH): string {
  return view.replace(
    encoded,
    (character) => `%${latin1Bytes(character)[0]!.toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
