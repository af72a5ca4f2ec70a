/**
 * The body of a request was read before the application could read it, for example by a body
 * parser. Its `code` is `body-consumed`.
 */
export class ConsumedBodyError extends Error {
  readonly code = 'body-consumed'

  /** @param advice what to do */
  constructor(advice: string) {
    super(`The body of the request was read before the application could read it: ${advice}`)
    this.name = 'ConsumedBodyError'
  }
}
