/**
 * Reads the objects of an application safely. A proxy, a getter or a `toString` may throw anything,
 * even for `instanceof`, `in` and `Array.isArray`; these functions return in any case.
 */

/** The result of a function, or `otherwise` if it throws. */
export function look<T>(at: () => T, otherwise: T): T {
  try {
    return at()
  } catch {
    return otherwise
  }
}

/** A property of any value, or undefined if there is none or reading it throws. */
export function propertyOf(value: unknown, name: string): unknown {
  return look(() => {
    const holds = (typeof value === 'object' && value !== null) || typeof value === 'function'
    return holds ? (value as Record<string, unknown>)[name] : undefined
  }, undefined)
}

/** Whether a value is an instance of `Error`. */
export function isError(value: unknown): value is Error {
  return look(() => value instanceof Error, false)
}

/** A value as JSON or text, for a log. */
export function shown(value: unknown): string {
  return look(
    () => (typeof value === 'object' ? (JSON.stringify(value) ?? String(value)) : String(value)),
    'an object that cannot be shown',
  )
}

/** The message of a thrown value. */
export function messageOf(error: unknown): string {
  return isError(error)
    ? String(look(() => error.message, 'an error that cannot be shown'))
    : shown(error)
}

/** A thrown value as an `Error`. */
export function toError(error: unknown): Error {
  return isError(error) ? error : new Error(shown(error))
}
