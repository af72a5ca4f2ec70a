/**
 * A request that is refused while it is read. After it the connection cannot be used for another
 * request, because where the next one begins is in doubt (RFC 9112 §9.6): answer with `status` and
 * close.
 *
 * `code` is stable and names the rule (`two-hosts`, `bare-lf`); `message` is the one line for the
 * error log. Whatever the message quotes of the client's bytes is escaped and cut short, so it is
 * safe to write to a log.
 *
 * @example
 * ```ts
 * try {
 *   parser.feed(chunk)
 * } catch (error) {
 *   if (!(error instanceof HttpError)) throw error
 *   log.warning(`refused with ${error.status}: ${error.message}`)
 * }
 * ```
 */
export class HttpError extends Error {
  readonly code: string
  readonly status: number

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'HttpError'
    this.code = code
    this.status = status
  }
}
