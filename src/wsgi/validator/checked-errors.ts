import { isPromise } from '../body.ts'
import type { ErrorStream } from '../types.ts'
import { describeValue, type Rule } from '../wsgi-error.ts'
import { byApplication, byServer } from './violation.ts'

const STREAMS: Rule = 'Input and Error Streams'

/** `wsgi.errors` between the two sides: looks at what the application writes. */
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
    // They can be asked for only once, and the server is the one who asks.
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
  throw byApplication(STREAMS, `wsgi.errors.${method}() takes ${takes}, and got ${args.length}`)
}

function checkText(method: string, text: unknown): void {
  if (typeof text === 'string') return
  throw byApplication(STREAMS, `wsgi.errors.${method}() takes text, not ${describeValue(text)}`)
}

/** Nobody waits for what these methods give; a promise that is rejected would end the process. */
function checkNothing(method: string, result: unknown): void {
  if (!isPromise(result)) return
  throw byServer(STREAMS, `wsgi.errors.${method}() must give nothing, not a promise`)
}
