/** The request's body had been read, by a body parser say, before the application could read it. */
export class ConsumedBodyError extends Error {
  readonly code = 'body-consumed'

  constructor(what: string) {
    super(`The request's body was read before the application could read it: ${what}`)
    this.name = 'ConsumedBodyError'
  }
}
