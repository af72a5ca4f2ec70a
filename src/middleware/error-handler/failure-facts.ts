import type { SourceExcerpt } from '../../source-code/excerpt.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { type StackFrame, sourceExcerpt, stackFrames } from './stack-frames.ts'

/** The facts about an error for the debug page. */
export interface FailureFacts {
  /** Its relation to the error before: `Caused by`, `Error 2 of 3`; `''` for the first one. */
  readonly relation: string
  readonly name: string
  readonly message: string
  readonly code: string
  /** The Python traceback of the error, if it has one. */
  readonly traceback: string | null
  /** The stack as JavaScript wrote it; `''` if there is none. */
  readonly stack: string
  readonly frames: readonly StackFrame[]
  /** The source around the first frames of the application, by frame. */
  readonly excerpts: ReadonlyMap<StackFrame, SourceExcerpt>
}

const MOST_FAILURES = 12
const MOST_EXCERPTS = 8
const LONGEST_TEXT = 20_000

/**
 * The facts about an error, its causes, and the errors of an `AggregateError`: at most twelve, each
 * once.
 */
export function failureFacts(error: unknown): FailureFacts[] {
  const facts: FailureFacts[] = []
  const seen = new Set<unknown>()
  const add = (each: unknown, relation: string) => {
    if (facts.length >= MOST_FAILURES || seen.has(each)) return
    seen.add(each)
    facts.push(factsOf(each, relation))
    const inner = property(each, 'errors')
    if (Array.isArray(inner)) {
      for (const [index, one] of inner.entries()) add(one, `Error ${index + 1} of ${inner.length}`)
    }
    const cause = property(each, 'cause')
    if (cause !== undefined && cause !== null) add(cause, 'Caused by')
  }
  add(error, '')
  return facts
}

function factsOf(error: unknown, relation: string): FailureFacts {
  const message = text(error, 'message')
  const stack = text(error, 'stack')
  const frames = stackFrames(stack, message)
  const excerpts = new Map<StackFrame, SourceExcerpt>()
  for (const frame of frames) {
    if (excerpts.size >= MOST_EXCERPTS) break
    if (frame.origin !== 'application') continue
    const excerpt = sourceExcerpt(frame)
    if (excerpt !== null) excerpts.set(frame, excerpt)
  }
  const isError = error instanceof Error || message !== '' || stack !== ''
  const code = property(error, 'code')
  const traceback = property(error, 'traceback')
  return {
    relation,
    name: isError ? text(error, 'name') || 'Error' : 'Something that is not an Error was thrown',
    message: isError ? message : describeValue(error),
    code: typeof code === 'string' || typeof code === 'number' ? String(code) : '',
    traceback: typeof traceback === 'string' ? shortened(traceback) : null,
    stack,
    frames,
    excerpts,
  }
}

/** A property of a thrown value, which may be anything, even an object that cannot be read. */
export function property(value: unknown, name: string): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return undefined
  }
}

function text(error: unknown, name: string): string {
  const value = property(error, name)
  return typeof value === 'string' ? shortened(value) : ''
}

function shortened(value: string): string {
  return value.length > LONGEST_TEXT ? `${value.slice(0, LONGEST_TEXT)}…` : value
}
