import { isError, messageOf, propertyOf, shown } from './stranger.ts'

/**
 * The status that an error asks to be answered with: a whole number from 400 to 599 in its property
 * `status`, as the libraries of Node.js have it; 500 for any other.
 *
 * @example failureStatus(Object.assign(new Error('gone'), { status: 502 })) // 502
 */
export function failureStatus(error: unknown): number {
  const status = propertyOf(error, 'status')
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as number)
    : 500
}

/**
 * What a log says of an error: its Python traceback where it has one (a property `traceback`), else
 * its stack with those of its causes.
 */
export function failureText(error: unknown): string {
  try {
    return textOf(error)
  } catch {
    return shown(error) // anything can be thrown, also what throws when it is looked at
  }
}

/**
 * What a log says of an error in one line, where its place does not matter: its name and message.
 */
export function failureLine(error: unknown): string {
  try {
    return (isError(error) ? String(error) : shown(error)).split('\n', 1)[0]!
  } catch {
    return shown(error)
  }
}

function textOf(error: unknown): string {
  const traceback = propertyOf(error, 'traceback')
  if (typeof traceback === 'string') return traceback.trimEnd()
  if (!isError(error)) return `Something that is not an Error was thrown: ${shown(error)}`
  const text = ownStack(error)
  const causes: string[] = []
  const seen = new Set<unknown>([error])
  for (let cause = propertyOf(error, 'cause'); cause !== undefined && !seen.has(cause); ) {
    seen.add(cause)
    causes.push(`Caused by: ${isError(cause) ? ownStack(cause) : shown(cause)}`)
    cause = propertyOf(cause, 'cause')
  }
  return [text, ...causes].join('\n')
}

/**
 * The stack without what called the application: that is always the same, and not where the mistake
 * is.
 */
function ownStack(error: Error): string {
  const given = propertyOf(error, 'stack')
  const stack =
    typeof given === 'string' ? given : `${shown(propertyOf(error, 'name'))}: ${messageOf(error)}`
  const caller = /\n +at callApplication \([^\n]*\/wsgi\/application\.[jt]s:[\s\S]*$/.exec(stack)
  return caller === null ? stack : stack.slice(0, caller.index)
}
