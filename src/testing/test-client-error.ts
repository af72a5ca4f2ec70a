/**
 * Why the test client failed:
 *
 * - `bad-option`: an option, a path or a header of the test is wrong
 * - `bad-redirect`: the Location of a redirect is not a URL
 * - `redirect-leaves`: a redirect leads out of the application
 * - `too-many-redirects`: there were more redirects than the limit
 * - `body-not-replayable`: a redirect asks for the body of the request again, but it was a stream
 * - `body-used`: the body of the response is being read in another way already
 * - `response-closed`: the response was closed before its body was read to the end
 * - `response-cut-off`: the application failed in the middle of its body (`cause` is its error)
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

/** An error of the test client, not of the application. Its `code` names the reason. */
export class TestClientError extends Error {
  readonly code: TestClientErrorCode

  constructor(code: TestClientErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'TestClientError'
    this.code = code
  }
}
