import { type Rule, WSGIError } from '../wsgi-error.ts'

/**
 * A side of the contract: `application` for the validated application, `server` for its caller. A
 * middleware is the server of the application inside it, and an application for the server outside.
 */
export type Offender = 'server' | 'application'

/**
 * One side of the contract broke a rule. The message names the offender, what is wrong, and the
 * section of PEP 3333 with the rule.
 *
 * @example
 * try {
 *   await validator(app)(environ, startResponse)
 * } catch (error) {
 *   if (error instanceof ViolationError && error.offender === 'application')
 *     console.error(error.message)
 *   // 'The application broke the contract: it returned undefined; a body is an iterable of
 *   // Uint8Array, such as an empty array (PEP 3333, "Specification Details")'
 * }
 */
export class ViolationError extends WSGIError {
  readonly offender: Offender

  constructor(offender: Offender, rule: Rule, what: string) {
    super(rule, `The ${offender} broke the contract: ${what}`)
    this.name = 'ViolationError'
    this.offender = offender
  }
}

/** An error of the server, or of a middleware that calls the validated application. */
export function byServer(rule: Rule, what: string): ViolationError {
  return new ViolationError('server', rule, what)
}

/** An error of the validated application. */
export function byApplication(rule: Rule, what: string): ViolationError {
  return new ViolationError('application', rule, what)
}

/** Turns the error of another check into one of the validated application. */
export function blameApplication(error: unknown): unknown {
  if (!(error instanceof WSGIError) || error instanceof ViolationError) return error
  const reference = ` (PEP 3333, "${error.rule}")`
  const what = error.message.endsWith(reference)
    ? error.message.slice(0, -reference.length)
    : error.message
  return byApplication(error.rule, what)
}
