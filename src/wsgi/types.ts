/**
 * The contract of PEP 3333 in TypeScript, with the names of Python's `wsgiref.types`.
 *
 * Two things differ from Python: an application may return a promise of its body, and an iterable
 * may be asynchronous.
 */

/**
 * A web application: a function, or an object with a method `wsgi` (in Python, `__call__`).
 *
 * @example
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
 *   return [new TextEncoder().encode(`Hello ${environ.REMOTE_ADDR}\n`)]
 * }
 */
export type WSGIApplication = WSGIFunction | WSGIObject

/**
 * An application that is a function. See {@link WSGIApplication}.
 *
 * @param environ the variables of the request
 * @param startResponse begins the response; call it before the first piece of the body is given
 * @returns the body, or a promise of it
 */
export type WSGIFunction = (
  environ: WSGIEnvironment,
  startResponse: StartResponse,
) => WSGIBody | Promise<WSGIBody>

/**
 * An application that is an object, usually an instance of a class. See {@link WSGIApplication}.
 *
 * @example
 * class Greeter implements WSGIObject {
 *   constructor(readonly name: string) {}
 *   wsgi(environ: WSGIEnvironment, startResponse: StartResponse) {
 *     startResponse('200 OK', [['Content-Type', 'text/plain']])
 *     return [new TextEncoder().encode(`Hello ${this.name}\n`)]
 *   }
 * }
 */
export interface WSGIObject {
  wsgi(environ: WSGIEnvironment, startResponse: StartResponse): WSGIBody | Promise<WSGIBody>
}

/**
 * The body of a response: an iterable of pieces of bytes, such as an array, a generator or a
 * stream. The server sends each piece before it asks for the next one.
 *
 * A piece belongs to the server once it was given: do not write to it again. An application that
 * reuses a buffer must give a copy of it.
 *
 * The server calls `close()`, if the body has one, exactly once when the response is over, whether
 * it is complete or not (PEP 3333 "Specification Details"). It tells a generator that was not run
 * to its end to return, so that its `finally` block runs.
 *
 * @example
 * async function* rows(): AsyncGenerator<Uint8Array> {
 *   for await (const row of database.stream('SELECT * FROM articles')) yield encodeRow(row)
 * }
 */
export type WSGIBody = (Iterable<Uint8Array> | AsyncIterable<Uint8Array>) & { close?(): unknown }

/**
 * Begins a response (PEP 3333 "The start_response() Callable").
 *
 * Nothing is sent yet. The head is sent with the first piece of the body that is not empty, or when
 * the body ends.
 *
 * @param status the status code and its reason phrase: `200 OK`
 * @param headers names and values, as strings of latin-1 characters, without hop-by-hop headers
 * @param excInfo the error that is being handled. Only with it may an application begin its
 * response again. If the head was sent before, the error is thrown (PEP 3333 "Error Handling")
 * @returns {@link Write}, for applications that cannot return their body
 * @throws WSGIError if the call breaks a rule
 * @example
 * startResponse('404 Not Found', [['Content-Type', 'text/plain; charset=utf-8']])
 */
export type StartResponse = (status: string, headers: ResponseHeaders, excInfo?: unknown) => Write

/** The headers of a response: pairs of name and value, in the order in which they are sent. */
export type ResponseHeaders = [name: string, value: string][]

/**
 * Sends a piece of the body at once (PEP 3333 "The write() Callable").
 *
 * Do not use it in new applications: return an iterable instead.
 *
 * @returns a promise that resolves when more can be sent. Await it: otherwise the pieces that a
 * slow client has not read yet pile up in memory
 * @throws WSGIError if the call breaks a rule
 */
export type Write = (data: Uint8Array) => Promise<void>

/**
 * The variables of a request (PEP 3333 "environ Variables", RFC 3875 §4.1): a plain object that
 * belongs to the application. Middleware may change any of them.
 *
 * Strings are views of bytes: each character stands for one byte, as in latin-1 (PEP 3333 "Unicode
 * Issues"). Use `decodeText` and `encodeText` to convert them to text and back. A variable that is
 * `undefined` counts as absent.
 */
export interface WSGIEnvironment {
  REQUEST_METHOD: string
  /**
   * The path at which the application is mounted, percent-decoded, without a slash at its end. `''`
   * for an application at the root.
   */
  SCRIPT_NAME: string
  /** The rest of the path, percent-decoded. */
  PATH_INFO: string
  /** The query string without its question mark, not decoded. */
  QUERY_STRING: string
  CONTENT_TYPE?: string | undefined
  CONTENT_LENGTH?: string | undefined
  SERVER_NAME: string
  SERVER_PORT: string
  /** The version of the request: `HTTP/1.1`. */
  SERVER_PROTOCOL: string
  SERVER_SOFTWARE?: string | undefined
  /** The address of the client. `''` on a unix socket. */
  REMOTE_ADDR?: string | undefined
  REMOTE_PORT?: string | undefined
  /** The request target as the client sent it, not decoded. */
  REQUEST_URI?: string | undefined
  RAW_URI?: string | undefined
  HTTP_HOST?: string | undefined
  /** `on` for a request over TLS, otherwise absent. */
  HTTPS?: string | undefined
  /**
   * The certificate of the client and the connection's TLS, under the names of Apache's mod_ssl.
   * They are present if the server asks for certificates (`cert_reqs`).
   */
  [variable: `SSL_${string}`]: string | undefined
  /**
   * How the client has connected, if a header of the PROXY protocol says so: `TCP4`, `TCP6`,
   * `UNIX`, `UNSPEC`, `UNKNOWN` or `LOCAL`.
   */
  PROXY_PROTOCOL?: string | undefined
  /** The address of the proxy that sent it. `REMOTE_ADDR` is that of the client. */
  PROXY_ADDR?: string | undefined
  PROXY_PORT?: string | undefined
  /** A request header. The values of repeated headers are joined (RFC 9110 §5.3). */
  [header: `HTTP_${string}`]: string | undefined
  'wsgi.version': readonly [1, 0]
  'wsgi.url_scheme': string
  'wsgi.input': InputStream
  'wsgi.errors': ErrorStream
  'wsgi.multithread': boolean
  'wsgi.multiprocess': boolean
  'wsgi.run_once': boolean
  'wsgi.file_wrapper'?: FileWrapperConstructor | undefined
  'wsgi.early_hints'?: EarlyHints | undefined
  /** Whether `wsgi.input` ends with the body, even without `CONTENT_LENGTH`. */
  'wsgi.input_terminated'?: boolean | undefined
  /** Other variables, set by servers, middleware and applications. */
  [key: string]: unknown
}

/**
 * Sends headers to the client before the response, so that a browser can load what the page will
 * need (`wsgi.early_hints`; 103 Early Hints, RFC 8297). The name and the meaning are Gunicorn's.
 *
 * It may be called several times. It does nothing once the head of the response has been sent, or
 * if the client speaks HTTP/1.0.
 *
 * @param headers pairs of name and value, usually of `Link`
 * @throws WSGIError if a header could not be sent
 * @example
 * environ['wsgi.early_hints']?.([['Link', '</style.css>; rel=preload; as=style']])
 */
export type EarlyHints = (headers: ResponseHeaders) => void

/**
 * Bytes in memory of their own, which is what `Response`, `Blob` and `crypto.subtle` take.
 *
 * It is `Uint8Array<ArrayBuffer>`, written so that TypeScript before 5.7 understands it too: there
 * `Uint8Array` has no parameter, and `slice()` returns it without one.
 */
export type Bytes = ReturnType<Uint8Array['slice']>

/**
 * The body of a request (`wsgi.input`, PEP 3333 "Input and Error Streams"). The methods are those
 * of Python, but return promises. At the end of the body they give the bytes that are left, then
 * empty results.
 *
 * If the client goes away before its body is complete, they reject with an {@link InputError}.
 *
 * @example
 * const order = JSON.parse(new TextDecoder().decode(await environ['wsgi.input'].read()))
 */
export interface InputStream extends AsyncIterable<Bytes> {
  /**
   * Reads `size` bytes, or fewer at the end of the body. Without a size, or with a negative one,
   * reads all bytes that are left.
   */
  read(size?: number): Promise<Bytes>
  /** Reads a line with its `\n`, at most `size` bytes of it. */
  readline(size?: number): Promise<Bytes>
  /** Reads all lines that are left, or stops after the line that completes `hint` bytes. */
  readlines(hint?: number): Promise<Bytes[]>
  /**
   * Reads at most `size` bytes of those that have arrived, and waits only if there are none (like
   * Python's `BufferedIOBase.read1`). Not every server has it: `readChunks` works with all.
   */
  read1?(size?: number): Promise<Bytes>
  /** Iterates line by line, as in Python. For pieces of any content use `readChunks`. */
  [Symbol.asyncIterator](): AsyncIterator<Bytes>
}

/**
 * The error log of an application (`wsgi.errors`, PEP 3333 "Input and Error Streams"). Takes text
 * with `\n` at the ends of lines.
 */
export interface ErrorStream {
  write(text: string): void
  writelines(lines: Iterable<string>): void
  flush(): void
}

/** An object to read bytes from, such as a file with a cursor or an {@link InputStream}. */
export interface FileLike {
  /** Reads at most `size` bytes. Gives an empty array at the end. */
  read(size: number): Uint8Array | Promise<Uint8Array>
  close?(): unknown
}

/**
 * A body that is read from a file in blocks; `close()` closes the file (PEP 3333 "Optional
 * Platform-Specific File Handling").
 */
export interface FileWrapper extends AsyncIterable<Uint8Array> {
  close(): unknown
}

/**
 * The class in `wsgi.file_wrapper` (PEP 3333 "Optional Platform-Specific File Handling").
 *
 * @param blockSize the most bytes of one read
 */
export type FileWrapperConstructor = new (file: FileLike, blockSize?: number) => FileWrapper

/**
 * A middleware: takes an application and returns an application that wraps it.
 *
 * @example
 * const withServerHeader: Middleware = (app) => (environ, startResponse) =>
 *   toFunction(app)(environ, (status, headers, excInfo) =>
 *     startResponse(status, [...headers, ['Server', 'shop']], excInfo),
 *   )
 */
export type Middleware = (app: WSGIApplication) => WSGIApplication
