import { look, propertyOf } from './stranger.ts'

/** The sections of PEP 3333 with rules that this package checks. */
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
 * A rule of PEP 3333 was broken. The message says what is wrong and names the section with the
 * rule. Its `code` is `wsgi-violation`.
 *
 * @example
 * try {
 *   startResponse('200', [])
 * } catch (error) {
 *   if (error instanceof WSGIError) console.error(error.rule) // 'The start_response() Callable'
 * }
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
 * Describes a value for an error message: its kind, and the value itself if it is short.
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
