/**
 * Looking at an application's objects: whatever they throw when they are looked at, these functions
 * return. A proxy's traps, a getter, a `toString` may throw anything, also for `instanceof`, `in`
 * and `Array.isArray`.
 */

/** What a look gives, or `otherwise` where it throws. */
export function look<T>(at: () => T, otherwise: T): T {
  try {
    return at()
  } catch {
    return otherwise
  }
}

/** A property of any value; undefined where it has none, or throws. */
export function propertyOf(value: unknown, name: string): unknown {
  return look(() => {
    const holds = (typeof value === 'object' && value !== null) || typeof value === 'function'
    return holds ? (value as Record<string, unknown>)[name] : undefined
  }, undefined)
}

/** Whether something is an error, by what it inherits from. */
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

/** The message of what was thrown, for a sentence. */
export function messageOf(error: unknown): string {
  return isError(error)
    ? String(look(() => error.message, 'an error that cannot be shown'))
    : shown(error)
}

/** What was thrown, as an Error. */
export function toError(error: unknown): Error {
  return isError(error) ? error : new Error(shown(error))
}
