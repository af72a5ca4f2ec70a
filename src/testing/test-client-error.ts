/**
 * Why the test client could not do what it was asked for:
 *
 * - `bad-option` an option, a path or a header of the test is wrong
 * - `bad-redirect` a redirect has a Location that is no URL
 * - `redirect-leaves` a redirect leads out of the application
 * - `too-many-redirects` there is no end to them
 * - `body-not-replayable` a redirect wants the request's body again, and it was a stream
 * - `body-used` the response's body was begun to be read in another way
 * - `response-closed` the response was closed before its body was read to the end
 * - `response-cut-off` the application failed in the middle of its body (`cause` is its error)
 */
export type TestClientErrorCode =
  | 'bad-option'
  | 'bad-redirect'
  | 'redirect-leaves'
  | 'too-many-redirects'
  | 'body-not-replayable'
  | 'body-used'
  | 'response-closed'
  | 'response-cut-off'

/**
 * What the test client rejects with where it is not the application that failed. The `code` says
 * why.
 */
export class TestClientError extends Error {
  readonly code: TestClientErrorCode

  constructor(code: TestClientErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'TestClientError'
    this.code = code
  }
}
