import { isPromise } from '../body.ts'
import type { ErrorStream } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import { byApplication, byServer } from './violation.ts'

const STREAMS: Rule = 'Input and Error Streams'

/** Wraps `wsgi.errors` to check the calls of the application and the results of the server. */
export class CheckedErrors implements ErrorStream {
  readonly #errors: ErrorStream

  constructor(errors: ErrorStream) {
    this.#errors = errors
  }

  write(...args: [text: string]): void {
    checkCount('write', args, 1)
    checkText('write', args[0])
    checkNothing('write', this.#errors.write(args[0]))
  }

  writelines(...args: [lines: Iterable<string>]): void {
    checkCount('writelines', args, 1)
    const lines: unknown = args[0]
    if (
      typeof lines !== 'string' &&
      !(typeof lines === 'object' && lines !== null && Symbol.iterator in lines)
    ) {
      throw byApplication(
        STREAMS,
        `wsgi.errors.writelines() takes an iterable of strings, not ${describeValue(lines)}`,
      )
    }
    // An iterable may be read only once, so the lines are checked while the server reads them.
    checkNothing('writelines', this.#errors.writelines(checkedLines(args[0])))
  }

  flush(...args: []): void {
    checkCount('flush', args, 0)
    checkNothing('flush', this.#errors.flush())
  }
}

function* checkedLines(lines: Iterable<string>): Generator<string> {
  for (const line of lines) {
    checkText('writelines', line)
    yield line
  }
}

function checkCount(method: string, args: readonly unknown[], count: number): void {
  if (args.length === count) return
  const takes = count === 0 ? 'no argument' : 'one argument'
  throw byApplication(STREAMS, `wsgi.errors.${method}() takes ${takes}, not ${args.length}`)
}

function checkText(method: string, text: unknown): void {
  if (typeof text === 'string') return
  throw byApplication(STREAMS, `wsgi.errors.${method}() takes text, not ${describeValue(text)}`)
}

/** The result of these methods is not awaited, so a promise that rejects would end the process. */
function checkNothing(method: string, result: unknown): void {
  if (!isPromise(result)) return
  throw byServer(STREAMS, `wsgi.errors.${method}() must return nothing, not a promise`)
}
