import { setImmediate as turn } from 'node:timers/promises'
import './body-length.ts'
import './callables.ts'
import './early-hints.ts'
import './environ.ts'
import './error-stream.ts'
import './file-wrapper.ts'
import './input-stream.ts'
import './iterables.ts'
import './start-response.ts'
import './validated.ts'
import './write.ts'
import { applications, type Case } from './registry.ts'

/**
 * The application that the table of PEP 3333 cases runs, as `conformance.py`: the header `X-Case`
 * names which of them. It passes its arguments and the result through untouched, unless `X-Form:
 * async` asks for the same with promises wherever the contract allows one.
 */
export function application(...args: Parameters<Case>): unknown {
  const [environ] = args
  const named = applications.get(String(environ.HTTP_X_CASE))
  if (named === undefined) throw new Error(`there is no case ${environ.HTTP_X_CASE}`)
  return environ.HTTP_X_FORM === 'async' ? promised(named, args) : named(...args)
}

async function promised(named: Case, args: Parameters<Case>): Promise<unknown> {
  await turn()
  const body = await named(...args)
  if (typeof body !== 'object' || body === null || Array.isArray(body) || ArrayBuffer.isView(body))
    return body
  return Symbol.asyncIterator in body || Symbol.iterator in body ? new Promised(body as Body) : body
}

type Body = (Iterable<unknown> | AsyncIterable<unknown>) & { close?(): unknown }

/**
 * A body whose every step, its end and its close() are promises that take a turn of the event loop.
 */
class Promised implements AsyncIterable<unknown> {
  readonly close: (() => Promise<unknown>) | undefined
  readonly #body: Body

  constructor(body: Body) {
    this.#body = body
    if (body.close !== undefined) {
      this.close = async () => {
        await turn()
        return body.close?.()
      }
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    const body = this.#body
    const iterator =
      Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]()
    return {
      next: async () => {
        await turn()
        return iterator.next()
      },
      return: async () => {
        await turn()
        return (await iterator.return?.()) ?? { done: true, value: undefined }
      },
    }
  }
}
