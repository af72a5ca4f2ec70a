/**
 * Thrown for a request that is refused while it is read. Answer with `status` and close the
 * connection: it cannot be used for another request, because it is uncertain where that would begin
 * (RFC 9112 §9.6).
 *
 * `code` is stable and names the rule (`two-hosts`, `bare-lf`). `message` is one line for the error
 * log. Bytes of the client that it quotes are escaped and truncated, so it is safe to log.
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
