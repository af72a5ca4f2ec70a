import { Call } from '../../src/wsgi/call.ts'
import { makeEnviron, type RequestFacts } from '../../src/wsgi/environ.ts'
import { checkHead, type HeadFacts } from '../../src/wsgi/head-rules.ts'
import { bytesSource, RequestInput } from '../../src/wsgi/input-stream.ts'
import type { ResponseSink } from '../../src/wsgi/response-sink.ts'
import { latin1Text } from '../../src/wsgi/text.ts'
import type { Bytes, WSGIApplication, WSGIEnvironment } from '../../src/wsgi/types.ts'

/** What came of a call, for unit tests that want no server. */
export interface Answer {
  status: string
  headers: [string, string][]
  /** The pieces in which the body was sent. */
  pieces: string[]
  /** The body, one character a byte. */
  body: string
  /** The response ended as it should. */
  complete: boolean
  /** What the application threw: the answer is 500, or is cut off. */
  error: unknown
  /** What was said without changing the answer. */
  complaints: unknown[]
  /**
   * The value of a header, the values of several joined with `, `; undefined when there is none.
   */
  header(name: string): string | undefined
}

/** A request for {@link callForAnswer}: all but what the test is about has a default. */
export type TestRequest = Partial<RequestFacts> & {
  body?: string | Bytes
  /** Put into the environ as they are. */
  environ?: Partial<WSGIEnvironment>
}

/** The environ of a request. */
export function environOf(request: TestRequest = {}): WSGIEnvironment {
  const body =
    typeof request.body === 'string' ? new TextEncoder().encode(request.body) : request.body
  const environ = makeEnviron({
    method: body === undefined ? 'GET' : 'POST',
    target: '/',
    headers: [['Host', 'localhost']],
    errors: { write() {}, writelines() {}, flush() {} },
    ...(body === undefined ? {} : { input: new RequestInput(bytesSource(body)) }),
    ...request,
  })
  if (body !== undefined) environ.CONTENT_LENGTH ??= String(body.length)
  return Object.assign(environ, request.environ)
}

/**
 * Calls an application as a server does, under all rules of the contract, and resolves when its
 * response is over.
 */
export function callForAnswer(app: WSGIApplication, request: TestRequest = {}): Promise<Answer> {
  const environ = environOf(request)
  return new Promise((resolve) => {
    const answer: Answer = {
      status: '',
      headers: [],
      pieces: [],
      body: '',
      complete: false,
      error: undefined,
      complaints: [],
      header(name) {
        const values = this.headers.filter(([other]) => other.toLowerCase() === name.toLowerCase())
        return values.length === 0 ? undefined : values.map(([, value]) => value).join(', ')
      },
    }
    const end = (complete: boolean, error?: unknown) => {
      answer.complete = complete
      answer.error = error
      answer.body = answer.pieces.join('')
      // After close(), which comes last.
      setImmediate(() => resolve(answer))
    }
    type Head = HeadFacts & { line: string; headers: [string, string][] }
    const start = (head: Head) => {
      answer.status = head.line
      answer.headers = head.headers
    }
    const sink: ResponseSink<Head> = {
      checkHead: (status, headers) => ({
        ...checkHead(status, headers),
        line: status,
        headers: headers.map(([name, value]) => [name, value]),
      }),
      respond: (head, body) => {
        start(head)
        if (body.length > 0 && environ.REQUEST_METHOD !== 'HEAD')
          answer.pieces.push(latin1Text(body))
        end(true)
      },
      start,
      data: (chunk) => {
        answer.pieces.push(latin1Text(chunk))
        return true
      },
      whenReady: (callback) => setImmediate(callback),
      finish: () => end(true),
      failed: (error) => {
        answer.status = '500 Internal Server Error'
        end(false, error)
      },
      broken: (error) => end(false, error),
      complain: (error) => answer.complaints.push(error),
    }
    new Call(app, environ, sink, environ.REQUEST_METHOD === 'HEAD').run()
  })
}
