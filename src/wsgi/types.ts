/**
 * The contract of PEP 3333 in TypeScript, under the names of Python's `wsgiref.types`.
 *
 * What is a return value in Python may be a promise of it here, and an iterable may be
 * asynchronous; all else is the same.
 */

/**
 * A web application: a function, or an object with a method `wsgi` (what is `__call__` in Python).
 *
 * @example
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
 *   return [new TextEncoder().encode(`Hello ${environ.REMOTE_ADDR}\n`)]
 * }
 */
export type WSGIApplication = WSGIFunction | WSGIObject

/** An application that is a function. See {@link WSGIApplication}. */
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
 * A response's body: pieces of bytes, each of which is sent before the next is asked for. An array,
 * a generator, a stream. A piece that was given is the server's: what a slow client has not taken
 * yet would change with it, so a buffer that is filled again must be copied.
 *
 * Whatever happens, `close()`, where there is one, is called exactly once when the response is over
 * (PEP 3333 "Specification Details"), and a generator that was not run to its end is told to
 * return, so that its `finally` runs.
 */
export type WSGIBody = (Iterable<Uint8Array> | AsyncIterable<Uint8Array>) & { close?(): unknown }

/**
 * What an application calls to begin its response (PEP 3333 "The start_response() Callable").
 *
 * Nothing is sent yet: the head goes out with the first piece of body that is not empty, or at the
 * end.
 *
 * @param status a status code and its reason: `200 OK`
 * @param headers names and values; no hop-by-hop headers; strings of latin-1 characters
 * @param excInfo the error that is being handled. Only with it may the response be begun a second
 * time; if its head has been sent by then, the error is thrown again (PEP 3333 "Error Handling")
 * @returns {@link Write}, for applications that cannot return their body
 * @throws WSGIError where the call breaks a rule
 */
export type StartResponse = (status: string, headers: ResponseHeaders, excInfo?: unknown) => Write

/** The headers of a response: a list of name and value, in the order in which they are sent. */
export type ResponseHeaders = [name: string, value: string][]

/**
 * Sends a piece of the body at once (PEP 3333 "The write() Callable"). Prefer to return an
 * iterable.
 *
 * @returns resolves when more can be sent: wait for it, or what a slow client does not take piles
 * up
 * @throws WSGIError where the call breaks a rule
 */
export type Write = (data: Uint8Array) => Promise<void>

/**
 * The variables of a request: a plain object, which belongs to the application; middleware may
 * change whatever it likes.
 *
 * Strings are views of bytes: every character stands for one byte, as in latin-1 (PEP 3333 "Unicode
 * Issues"); `decodeText` and `encodeText` turn them to text and back. `undefined` is the same as
 * absent.
 */
export interface WSGIEnvironment {
  REQUEST_METHOD: string
  /**
   * The path up to the application, without a slash at its end; `''` for one at the root.
   * Percent-decoded.
   */
  SCRIPT_NAME: string
  /** The rest of the path, percent-decoded. */
  PATH_INFO: string
  /** What follows the question mark, not decoded. */
  QUERY_STRING: string
  CONTENT_TYPE?: string | undefined
  CONTENT_LENGTH?: string | undefined
  SERVER_NAME: string
  SERVER_PORT: string
  /** `HTTP/1.1` */
  SERVER_PROTOCOL: string
  SERVER_SOFTWARE?: string | undefined
  /** The client's address; `''` on a unix socket. */
  REMOTE_ADDR?: string | undefined
  REMOTE_PORT?: string | undefined
  /** The target as the client sent it, not decoded. */
  REQUEST_URI?: string | undefined
  RAW_URI?: string | undefined
  HTTP_HOST?: string | undefined
  /** A request header; several of one name are joined. */
  [header: `HTTP_${string}`]: string | undefined
  'wsgi.version': readonly [1, 0]
  'wsgi.url_scheme': string
  'wsgi.input': InputStream
  'wsgi.errors': ErrorStream
  'wsgi.multithread': boolean
  'wsgi.multiprocess': boolean
  'wsgi.run_once': boolean
  'wsgi.file_wrapper'?: FileWrapperConstructor | undefined
  /** `wsgi.input` ends where the body ends, also for a body without `CONTENT_LENGTH`. */
  'wsgi.input_terminated'?: boolean | undefined
  /** Anything that a server, a middleware or an application wants to tell the next. */
  [key: string]: unknown
}

/**
 * The request's body (`wsgi.input`). The methods are those of Python's, as promises; at the end of
 * the body they give what is left, and then nothing.
 *
 * Where the client goes away before its body is complete, they reject with an {@link InputError}.
 */
export interface InputStream extends AsyncIterable<Uint8Array> {
  /**
   * That many bytes, fewer only at the end; all that is left without a size or with a negative one.
   */
  read(size?: number): Promise<Uint8Array>
  /** A line with its `\n`, at most `size` bytes of it. */
  readline(size?: number): Promise<Uint8Array>
  /** The lines that are left, or as many as have `hint` bytes together. */
  readlines(hint?: number): Promise<Uint8Array[]>
  /**
   * At most `size` bytes of those that have come, waiting only if there are none (as Python's
   * `BufferedIOBase.read1`). Not every server has it: see `readChunks`.
   */
  read1?(size?: number): Promise<Uint8Array>
  /** Line by line, as in Python. For pieces of any content use `readChunks`. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array>
}

/** Where an application's complaints go (`wsgi.errors`): text, with `\n` at the ends of lines. */
export interface ErrorStream {
  write(text: string): void
  writelines(lines: Iterable<string>): void
  flush(): void
}

/** Something with bytes to read: a file handle with a cursor, an {@link InputStream}. */
export interface FileLike {
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

/** What `wsgi.file_wrapper` is; called with `new`. */
export type FileWrapperConstructor = new (file: FileLike, blockSize?: number) => FileWrapper

/** A middleware: takes an application and gives one that wraps it. */
export type Middleware = (app: WSGIApplication) => WSGIApplication
