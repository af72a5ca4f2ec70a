/** What the compiler knows of an environ and its streams. See `application.ts`. */
import { Readable } from 'node:stream'
import type {} from '../../../src/middleware/profiler/profiler.ts'
import type { RequestTiming } from '../../../src/middleware/profiler/request-timing.ts'
import type { ProxyFixOriginal } from '../../../src/middleware/proxy-fix/proxy-fix.ts'
import type {} from '../../../src/middleware/request-id/request-id.ts'
import type {} from '../../../src/middleware/timeout/timeout.ts'
import type {
  Bytes,
  ErrorStream,
  FileWrapper,
  FileWrapperConstructor,
  InputStream,
  WSGIEnvironment,
} from '../../../src/wsgi/types.ts'

declare const environ: WSGIEnvironment
declare const input: InputStream
declare const errors: ErrorStream

// Well-known variables have their types.

export const strings: string[] = [
  environ.REQUEST_METHOD,
  environ.SCRIPT_NAME,
  environ.PATH_INFO,
  environ.QUERY_STRING,
  environ.SERVER_NAME,
  environ.SERVER_PORT,
  environ.SERVER_PROTOCOL,
  environ['wsgi.url_scheme'],
]
export const perhaps: (string | undefined)[] = [
  environ.CONTENT_TYPE,
  environ.CONTENT_LENGTH,
  environ.REMOTE_ADDR,
  environ.HTTP_HOST,
  environ.HTTP_X_ANYTHING_AT_ALL,
]
export const ofTheServer: (string | undefined)[] = [
  environ.HTTPS,
  environ.PROXY_PROTOCOL,
  environ.PROXY_ADDR,
  environ.SSL_PROTOCOL,
  environ.SSL_CLIENT_S_DN_CN,
]
export const ofMiddleware: [
  string | undefined,
  string | undefined,
  RequestTiming | undefined,
  AbortSignal | undefined,
  ProxyFixOriginal | undefined,
] = [
  environ['monoceros.request_id'],
  environ['monoceros.route'],
  environ['monoceros.timing'],
  environ['monoceros.timeout.signal'],
  environ['monoceros.proxyFix.original'],
]
export const flags: boolean[] = [
  environ['wsgi.multithread'],
  environ['wsgi.multiprocess'],
  environ['wsgi.run_once'],
]
export const version: readonly [1, 0] = environ['wsgi.version']
export const anything: unknown = environ['my.thing']

// @ts-expect-error: a header may be absent
export const header: string = environ.HTTP_COOKIE
// @ts-expect-error: so may the length
export const length: string = environ.CONTENT_LENGTH
// @ts-expect-error: and it is a string
export const number: number | undefined = environ.CONTENT_LENGTH
// @ts-expect-error: so is the port
export const port: number = environ.SERVER_PORT
// @ts-expect-error: what somebody has put there is unknown until it was looked at
export const user: { name: string } = environ['my.user']
// @ts-expect-error: the file wrapper may be absent
new environ['wsgi.file_wrapper']({ read: () => new Uint8Array() })

// @ts-expect-error: TLS need not have been spoken
export const protocol: string = environ.SSL_PROTOCOL
// @ts-expect-error: a certificate is text
export const certificate: Buffer | undefined = environ.SSL_CLIENT_CERT
// @ts-expect-error: the middleware may not be there
environ['monoceros.timing'].mark('a')
// @ts-expect-error: a route is text
environ['monoceros.route'] = /articles/
// @ts-expect-error: the id of a request is text
environ['monoceros.request_id'] = 7

// It is the application's to change, within those types.

environ.PATH_INFO = '/'
environ.HTTP_X_REQUEST_ID = 'a'
environ.HTTP_COOKIE = undefined
environ['my.user'] = { name: 'a' }
environ['wsgi.input'] = input
delete environ.HTTP_COOKIE

// @ts-expect-error: a path is a string
environ.PATH_INFO = 1
// @ts-expect-error: and always there
environ.PATH_INFO = undefined
// @ts-expect-error: so it cannot be deleted
delete environ.PATH_INFO
// @ts-expect-error: a length is a string
environ.CONTENT_LENGTH = 5
// @ts-expect-error: a header is a string
environ.HTTP_X_COUNT = 1
// @ts-expect-error: not a list of them
environ.HTTP_COOKIE = ['a=1', 'b=2']
// @ts-expect-error: nor null
environ.HTTP_COOKIE = null
// @ts-expect-error: a port is a string
environ.SERVER_PORT = 8000
// @ts-expect-error: the version has two parts
environ['wsgi.version'] = '1.0'
// @ts-expect-error: and is 1.0
environ['wsgi.version'] = [1, 1]
// @ts-expect-error: a flag is a boolean
environ['wsgi.run_once'] = 0
// @ts-expect-error: a stream of Node.js has no readline()
environ['wsgi.input'] = Readable.from([])
// @ts-expect-error: bytes are no stream
environ['wsgi.input'] = new Uint8Array()
// @ts-expect-error: a function is no error stream
environ['wsgi.errors'] = console.error
// @ts-expect-error: the console has no write()
environ['wsgi.errors'] = console
// @ts-expect-error: an environ has more than that
export const short: WSGIEnvironment = { REQUEST_METHOD: 'GET', PATH_INFO: '/' }

// wsgi.input gives promises of bytes, in memory of their own.

export const own: Promise<Uint8Array<ArrayBuffer>> = input.read()
export const named: Promise<Bytes> = own
// @ts-expect-error: an input stream does not give memory that is shared
export const shared: InputStream['read'] = async () => new Uint8Array(new SharedArrayBuffer(1))

export const reads: Promise<Uint8Array>[] = [
  input.read(),
  input.read(5),
  input.readline(),
  input.readline(5),
]
export const lines: Promise<Uint8Array[]>[] = [input.readlines(), input.readlines(100)]
export async function all(): Promise<Uint8Array[]> {
  const read: Uint8Array[] = []
  for await (const line of input) read.push(line)
  return read
}

// @ts-expect-error: they are promises
export const atOnce: Uint8Array = input.read()
// @ts-expect-error: of bytes
export const text: Promise<string> = input.read()
// @ts-expect-error: a size is a number
input.read('5')
// @ts-expect-error: one size
input.read(5, 10)
// @ts-expect-error: not every server has read1()
input.read1(5)
// @ts-expect-error: its lines come as promises
for (const _ of input);
// @ts-expect-error: an application does not close it
input.close()

// wsgi.errors takes text.

errors.write('a\n')
errors.writelines(['a\n', 'b\n'])
errors.writelines(new Set(['a\n']))
errors.flush()
// @ts-expect-error: an error is no text
errors.write(new Error('a'))
// @ts-expect-error: nor are bytes
errors.write(new Uint8Array())
// @ts-expect-error: lines are text
errors.writelines([1])
// @ts-expect-error: flush() takes nothing
errors.flush(true)

// wsgi.file_wrapper is a class of bodies.

declare const Wrapper: FileWrapperConstructor
export const wrapped: FileWrapper[] = [
  new Wrapper(input),
  new Wrapper({ read: () => new Uint8Array() }, 8192),
]
// @ts-expect-error: it is called with new
Wrapper(input)
// @ts-expect-error: it reads bytes
new Wrapper({ read: () => 'text' })
// @ts-expect-error: from something to read
new Wrapper('file.txt')
