import { isError, messageOf, propertyOf, shown } from './stranger.ts'

/**
 * The status with which an error is answered: its property `status`, as libraries for Node.js set
 * it, if that is a whole number from 400 to 599; otherwise 500.
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
 * An error as text for a log: its Python traceback if it has one (the property `traceback`),
 * otherwise its stack and those of its causes.
 */
export function failureText(error: unknown): string {
  try {
    return textOf(error)
  } catch {
    return shown(error) // an application can throw anything, even an object that cannot be read
  }
}

/** The name and message of an error in one line, for a log. */
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

/** Where `callApplication` is: in its module, or in a part of the bundle that is published. */
const CALLER =
  /\n +at callApplication \([^\n]*\/(?:wsgi\/application\.[jt]s|dist\/parts\/[\w-]+\.js):[\s\S]*$/

/** A stack of Firefox or Safari has no message: its first line is a frame. */
const FRAMES_ONLY = /^[^\n@]*@[^\n]*(?::\d+:\d+|\[native code\])(?:\n|$)/

/** The stack without the frames below the application: they are always the same. */
function ownStack(error: Error): string {
  const given = propertyOf(error, 'stack')
  const heading = () => `${shown(propertyOf(error, 'name'))}: ${messageOf(error)}`
  if (typeof given !== 'string') return heading()
  const stack = FRAMES_ONLY.test(given) ? `${heading()}\n${given}` : given
  const caller = CALLER.exec(stack)
  return caller === null ? stack : stack.slice(0, caller.index)
}
