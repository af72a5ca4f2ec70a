/**
 * The status that an error asks to be answered with: a whole number from 400 to 599 in its property `status`, as the libraries
 * of Node.js have it; 500 for any other.
 *
 * @example failureStatus(Object.assign(new Error('gone'), { status: 502 })) // 502
 */
export function failureStatus(error: unknown): number {
  const status = property(error, 'status')
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as number)
    : 500
}

/**
 * What a log says of an error: its Python traceback where it has one (a property `traceback`), else its stack with those of its causes.
 */
export function failureText(error: unknown): string {
  try {
    return textOf(error)
  } catch {
    return shown(error) // anything can be thrown, also what throws when it is looked at
  }
}

/** What a log says of an error in one line, where its place does not matter: its name and message. */
export function failureLine(error: unknown): string {
  try {
    return (error instanceof Error ? String(error) : shown(error)).split('\n', 1)[0]!
  } catch {
    return shown(error)
  }
}

function textOf(error: unknown): string {
  const traceback = property(error, 'traceback')
  if (typeof traceback === 'string') return traceback.trimEnd()
  if (!(error instanceof Error)) return `Something that is not an Error was thrown: ${shown(error)}`
  const text = ownStack(error)
  const causes: string[] = []
  const seen = new Set<unknown>([error])
  for (let cause = error.cause; cause !== undefined && !seen.has(cause); ) {
    seen.add(cause)
    causes.push(`Caused by: ${cause instanceof Error ? ownStack(cause) : shown(cause)}`)
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return [text, ...causes].join('\n')
}

/** The stack without what called the application: that is always the same, and not where the mistake is. */
function ownStack(error: Error): string {
  const stack = error.stack ?? `${error.name}: ${error.message}`
  const caller = /\n +at callApplication \([^\n]*\/wsgi\/application\.[jt]s:[\s\S]*$/.exec(stack)
  return caller === null ? stack : stack.slice(0, caller.index)
}

function property(error: unknown, name: string): unknown {
  try {
    return typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[name] : undefined
  } catch {
    return undefined
  }
}

function shown(value: unknown): string {
  try {
    return typeof value === 'object' ? (JSON.stringify(value) ?? String(value)) : String(value)
  } catch {
    return 'an object that cannot be shown'
  }
}
