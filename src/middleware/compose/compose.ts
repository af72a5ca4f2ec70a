/**
 * Combines several middlewares into one. The first is the outermost: it sees a request first and a
 * response last.
 *
 * `compose(a, b, c)(app)` is `a(b(c(app)))`. The result is a middleware, so stacks can be built
 * from stacks. A single middleware needs no `compose`: call it with the application.
 *
 * @example
 * import { bodyLimit, compose, cors, requestId } from 'monoceros'
 *
 * const stack = compose(
 *   requestId(),
 *   cors({ origin: 'https://shop.example' }),
 *   bodyLimit({ maxBytes: 1_000_000 }),
 * )
 * export const app = stack(shop)
 *
 * @module
 */
import { isApplication } from '../../wsgi/application.ts'
import type { Middleware, WSGIApplication } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'

/**
 * Makes one middleware of several.
 *
 * @param middleware from the outermost to the innermost; with none, applications are not wrapped
 * @throws TypeError (`bad-option`) if an argument is not a function. The result throws it too, if
 * it is called with a value that is not an application, or a middleware does not return one
 * @example compose(requestId(), errorHandler())(app)
 */
export function compose(...middleware: Middleware[]): Middleware {
  middleware.forEach((layer, index) => {
    if (typeof layer === 'function') return
    throw optionError(
      TypeError,
      `compose: argument ${index + 1} must be a middleware, ` +
        `a function that takes an application, not ${describeValue(layer)}`,
    )
  })
  return function composed(app) {
    let wrapped = applicationFrom(app, 'the argument of the composed middleware')
    for (let index = middleware.length - 1; index >= 0; index--) {
      const layer = middleware[index]!
      wrapped = applicationFrom(
        layer(wrapped),
        `the result of the middleware ${layer.name === '' ? '' : `${layer.name} `}` +
          `(argument ${index + 1})`,
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
