import { look, propertyOf } from './stranger.ts'

/** The sections of PEP 3333 that lay something on an application. */
export type Rule =
  | 'Specification Details'
  | 'environ Variables'
  | 'Input and Error Streams'
  | 'The start_response() Callable'
  | 'Handling the Content-Length Header'
  | 'Buffering and Streaming'
  | 'The write() Callable'
  | 'Unicode Issues'
  | 'Error Handling'
  | 'Other HTTP Features'
  | 'Optional Platform-Specific File Handling'

/**
 * The contract was broken. The message says how, and names the section of PEP 3333 with the rule.
 *
 * @example
 * new WSGIError('The start_response() Callable', 'start_response: the status must be a string such
 * as "200 OK", not the number 200').message // 'start_response: the status must be a string such as
 * "200 OK", not the number 200 (PEP 3333, "The start_response() Callable")'
 */
export class WSGIError extends Error {
  readonly code = 'wsgi-violation'
  /** The section of PEP 3333. */
  readonly rule: Rule

  constructor(rule: Rule, what: string) {
    super(`${what} (PEP 3333, "${rule}")`)
    this.name = 'WSGIError'
    this.rule = rule
  }
}

/**
 * What was given instead, for messages: its kind, and the value where it is short.
 *
 * @example describeValue(200) // 'the number 200'
 */
export function describeValue(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'undefined'
  if (typeof value === 'string') {
    const shown = JSON.stringify(value)
    return `the string ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`
  }
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `the ${typeof value} ${value}`
  if (typeof value === 'function') {
    const name = propertyOf(value, 'name')
    return typeof name !== 'string' || name === '' ? 'a function' : `the function ${name}`
  }
  if (typeof value === 'symbol') return 'a symbol'
  if (look(() => value instanceof Promise, false)) return 'a promise'
  const name = propertyOf(propertyOf(value, 'constructor'), 'name')
  return typeof name !== 'string' || name === '' || name === 'Object'
    ? 'an object'
    : `${/^(?:[AEIO]|Un)/.test(name) ? 'an' : 'a'} ${name}`
}
