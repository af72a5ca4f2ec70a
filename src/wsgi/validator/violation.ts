import { type Rule, WSGIError } from '../wsgi-error.ts'

/**
 * Which side of the contract: what calls the validated application, or that application. A
 * middleware is both, to different neighbours.
 */
export type Offender = 'server' | 'application'

/**
 * What the validator throws: one side of the contract broke it. The message says which, how, and
 * which section of PEP 3333 has the rule.
 *
 * @example
 * try { await validator(app)(environ, startResponse) } catch (error) { if (error instanceof
 * ViolationError && error.offender === 'application') console.error(error.message) // 'The
 * application broke the contract: it returned undefined; … (PEP 3333, "Specification Details")' }
 */
export class ViolationError extends WSGIError {
  readonly offender: Offender

  constructor(offender: Offender, rule: Rule, what: string) {
    super(rule, `The ${offender} broke the contract: ${what}`)
    this.name = 'ViolationError'
    this.offender = offender
  }
}

/** The server, or a middleware that calls the validated application, is wrong. */
export function byServer(rule: Rule, what: string): ViolationError {
  return new ViolationError('server', rule, what)
}

/** The validated application is wrong. */
export function byApplication(rule: Rule, what: string): ViolationError {
  return new ViolationError('application', rule, what)
}

/** What another check has found, laid at the application's door. */
export function blameApplication(error: unknown): unknown {
  if (!(error instanceof WSGIError) || error instanceof ViolationError) return error
  const reference = ` (PEP 3333, "${error.rule}")`
  const what = error.message.endsWith(reference)
    ? error.message.slice(0, -reference.length)
    : error.message
  return byApplication(error.rule, what)
}
