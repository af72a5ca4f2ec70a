/**
 * Puts several middlewares around an application, in the order in which they are written: the first
 * is the outermost, so it sees a request first and a response last.
 *
 * `compose(a, b, c)(app)` is `a(b(c(app)))`. What it gives is a middleware itself, so stacks can be
 * built from stacks.
 *
 * @example
 * import { bodyLimit, compose, cors, requestId } from 'monoceros'
 *
 * const stack = compose(requestId(), cors({ origin: 'https://shop.example' }), bodyLimit({
 * maxBytes: 1_000_000 })) export const app = stack(shop)
 *
 * @module
 */
import { isApplication } from '../../wsgi/application.ts'
import type { Middleware, WSGIApplication } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'

/**
 * @param middleware the first is the outermost; with none, the application stays as it is
 * @throws TypeError (`bad-option`) at once for what is not a function; and when the stack is put
 * around an application, for an argument that is no application and for a middleware that does not
 * give one
 */
export function compose(...middleware: Middleware[]): Middleware {
  middleware.forEach((layer, index) => {
    if (typeof layer === 'function') return
    throw optionError(
      TypeError,
      `compose: argument ${index + 1} must be a middleware, a function that takes an application, not ${describeValue(layer)}`,
    )
  })
  return function composed(app) {
    let wrapped = applicationFrom(app, 'what the stack was called with')
    for (let index = middleware.length - 1; index >= 0; index--) {
      const layer = middleware[index]!
      wrapped = applicationFrom(
        layer(wrapped),
        `what the middleware ${layer.name === '' ? '' : `${layer.name} `}(argument ${index + 1}) gave`,
      )
    }
    return wrapped
  }
}

function applicationFrom(value: unknown, what: string): WSGIApplication {
  if (isApplication(value)) return value
  throw optionError(
    TypeError,
    `compose: ${what} must be an application, not ${describeValue(value)}`,
  )
}
