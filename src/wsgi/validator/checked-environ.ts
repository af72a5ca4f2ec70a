import type { WSGIEnvironment } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import { byServer } from './violation.ts'

const ENVIRON: Rule = 'environ Variables'
const STREAMS: Rule = 'Input and Error Streams'

const REQUIRED = [
  'REQUEST_METHOD',
  'SCRIPT_NAME',
  'PATH_INFO',
  'QUERY_STRING',
  'SERVER_NAME',
  'SERVER_PORT',
  'SERVER_PROTOCOL',
  'wsgi.version',
  'wsgi.url_scheme',
  'wsgi.input',
  'wsgi.errors',
  'wsgi.multithread',
  'wsgi.multiprocess',
  'wsgi.run_once',
] as const

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const BEYOND_LATIN1 = /[\u0100-\uffff]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const BREAKS = /[\x00\r\n]/

/**
 * Checks the environ that a server passes to an application (PEP 3333 "environ Variables", RFC 3875
 * §4.1).
 *
 * @throws ViolationError for the first broken rule; the offender is the server
 */
export function checkEnviron(environ: unknown): asserts environ is WSGIEnvironment {
  checkObject(environ)
  for (const key of REQUIRED) {
    if (environ[key] === undefined) throw byServer(ENVIRON, `environ must have the key ${key}`)
  }
  for (const key of ['CONTENT_TYPE', 'CONTENT_LENGTH']) {
    if (environ[`HTTP_${key}`] !== undefined)
      throw byServer(ENVIRON, `environ has HTTP_${key}; the variable for this header is ${key}`)
  }
  for (const key of Object.keys(environ)) checkVariable(key, environ[key])
  checkRequest(environ as Record<string, string>)
  checkServerVariables(environ)
  checkStreams(environ)
}

/** The environ must be a plain object that the application may change. */
function checkObject(environ: unknown): asserts environ is Record<string, unknown> {
  const prototype =
    typeof environ === 'object' && environ !== null ? Object.getPrototypeOf(environ) : undefined
  // The prototype may be the Object.prototype of another realm, such as a vm context.
  const plain =
    prototype === null || (prototype !== undefined && Object.getPrototypeOf(prototype) === null)
  if (!plain || Array.isArray(environ)) {
    throw byServer(ENVIRON, `environ must be a plain object, not ${describeValue(environ)}`)
  }
  const descriptors = Object.getOwnPropertyDescriptors(environ)
  const fixed = Object.entries(descriptors).find(
    ([, { writable, set }]) => !writable && set === undefined,
  )
  if (fixed !== undefined || !Object.isExtensible(environ)) {
    throw byServer(
      ENVIRON,
      'environ must be writable, because the application may change it, but ' +
        (fixed === undefined ? 'nothing can be added to it' : `${fixed[0]} is read-only`),
    )
  }
}

/** CGI and system variables are strings. Names with a dot are extensions, of any type. */
function checkVariable(key: string, value: unknown): void {
  if (key.includes('.') || value === undefined) return
  if (typeof value !== 'string') {
    throw byServer(ENVIRON, `environ's ${key} must be a string, not ${describeValue(value)}`)
  }
  if (BEYOND_LATIN1.test(value)) {
    throw byServer(
      'Unicode Issues',
      `environ's ${key} must have one character for each byte, but one is beyond latin-1: ` +
        `${JSON.stringify(value)}; encode it with encodeText()`,
    )
  }
  if (!key.startsWith('HTTP_')) return
  if (/[a-z-]/.test(key) || key === 'HTTP_') {
    throw byServer(
      ENVIRON,
      `environ's ${key} must be in upper case with underscores, as in HTTP_ACCEPT_LANGUAGE`,
    )
  }
  if (BREAKS.test(value)) {
    throw byServer(
      ENVIRON,
      `environ's ${key} must not have a CR, LF or NUL (RFC 9110 §5.5): ${JSON.stringify(value)}`,
    )
  }
}

function checkRequest(environ: Record<string, string | undefined>): void {
  const { REQUEST_METHOD: method = '', SCRIPT_NAME: mount = '', PATH_INFO: path = '' } = environ
  if (!TOKEN.test(method)) {
    throw byServer(
      ENVIRON,
      `environ's REQUEST_METHOD must be a method such as GET, not ${describeValue(method)}`,
    )
  }
  if (mount === '/') {
    throw byServer(
      ENVIRON,
      'environ\'s SCRIPT_NAME must be "" for an application at the root, not "/"',
    )
  }
  if (mount !== '' && !mount.startsWith('/')) {
    throw byServer(
      ENVIRON,
      `environ's SCRIPT_NAME must begin with a slash: ${JSON.stringify(mount)}`,
    )
  }
  // "OPTIONS *" concerns the whole server and has no path.
  if (method !== 'OPTIONS' || !(path === '' || path === '*')) {
    if (path !== '' && !path.startsWith('/')) {
      throw byServer(
        ENVIRON,
        `environ's PATH_INFO must begin with a slash: ${JSON.stringify(path)}`,
      )
    }
    if (path === '' && mount === '') {
      throw byServer(
        ENVIRON,
        'environ has no path: PATH_INFO must be at least "/" if SCRIPT_NAME is ""',
      )
    }
  }
  if (environ.QUERY_STRING!.startsWith('?')) {
    throw byServer(
      ENVIRON,
      "environ's QUERY_STRING must not begin with the question mark of the target",
    )
  }
  if (!/^\d*$/.test(environ.CONTENT_LENGTH ?? '')) {
    throw byServer(
      ENVIRON,
      "environ's CONTENT_LENGTH must be a number of bytes, empty, or absent, " +
        `not ${describeValue(environ.CONTENT_LENGTH)}`,
    )
  }
  if (environ.SERVER_NAME === '') throw byServer(ENVIRON, "environ's SERVER_NAME must not be empty")
  if (!/^\d+$/.test(environ.SERVER_PORT!)) {
    throw byServer(
      ENVIRON,
      `environ's SERVER_PORT must be a string of digits, not ${describeValue(environ.SERVER_PORT)}`,
    )
  }
  if (!/^[A-Z]+\/\d+(\.\d+)?$/.test(environ.SERVER_PROTOCOL!)) {
    throw byServer(
      ENVIRON,
      "environ's SERVER_PROTOCOL must be a protocol such as HTTP/1.1, " +
        `not ${describeValue(environ.SERVER_PROTOCOL)}`,
    )
  }
}

function checkServerVariables(environ: Record<string, unknown>): void {
  const version = environ['wsgi.version']
  if (!Array.isArray(version) || version.length !== 2 || version[0] !== 1 || version[1] !== 0) {
    const shown = Array.isArray(version) ? `[${version.join(', ')}]` : describeValue(version)
    throw byServer(ENVIRON, `environ's wsgi.version must be the array [1, 0], not ${shown}`)
  }
  const scheme = environ['wsgi.url_scheme']
  if (scheme !== 'http' && scheme !== 'https') {
    throw byServer(
      ENVIRON,
      `environ's wsgi.url_scheme must be "http" or "https", not ${describeValue(scheme)}`,
    )
  }
  for (const key of [
    'wsgi.multithread',
    'wsgi.multiprocess',
    'wsgi.run_once',
    'wsgi.input_terminated',
  ]) {
    const value = environ[key]
    if (value !== undefined && typeof value !== 'boolean') {
      throw byServer(ENVIRON, `environ's ${key} must be a boolean, not ${describeValue(value)}`)
    }
  }
  const hints = environ['wsgi.early_hints']
  if (hints !== undefined && typeof hints !== 'function') {
    throw byServer(
      'Other HTTP Features',
      `environ's wsgi.early_hints must be a function, not ${describeValue(hints)}`,
    )
  }
  const wrapper = environ['wsgi.file_wrapper']
  if (wrapper !== undefined && typeof wrapper !== 'function') {
    throw byServer(
      'Optional Platform-Specific File Handling',
      `environ's wsgi.file_wrapper must be a class, not ${describeValue(wrapper)}`,
    )
  }
}

function checkStreams(environ: Record<string, unknown>): void {
  checkMethods(environ, 'wsgi.input', ['read', 'readline', 'readlines', Symbol.asyncIterator])
  checkMethods(environ, 'wsgi.errors', ['write', 'writelines', 'flush'])
  const { read1 } = environ['wsgi.input'] as { read1?: unknown }
  if (read1 !== undefined && typeof read1 !== 'function') {
    throw byServer(
      STREAMS,
      `wsgi.input's read1 must be a method or absent, not ${describeValue(read1)}`,
    )
  }
}

function checkMethods(
  environ: Record<string, unknown>,
  key: string,
  methods: readonly PropertyKey[],
): void {
  const stream = environ[key]
  if (typeof stream !== 'object' || stream === null) {
    throw byServer(
      STREAMS,
      `environ's ${key} must be an object with methods, not ${describeValue(stream)}`,
    )
  }
  for (const method of methods) {
    if (typeof (stream as Record<PropertyKey, unknown>)[method] === 'function') continue
    const name = typeof method === 'symbol' ? '[Symbol.asyncIterator]' : String(method)
    throw byServer(STREAMS, `${key} must have a method ${name}()`)
  }
}
