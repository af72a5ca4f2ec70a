import type { StartResponse, WSGIEnvironment, WSGIFunction } from '../../../src/wsgi/types.ts'
import { bytes, plainText, register } from './registry.ts'

// PEP 3333, "The Application/Framework Side" and "Application Configuration": every kind of
// application. Loaded by name on the server's command line
// (`./typescript/callables.ts:instance.method`), one server each.

/** A 200 that says which application answered. */
function answer(
  text: string,
  _environ: WSGIEnvironment,
  startResponse: StartResponse,
): Uint8Array[] {
  startResponse('200 OK', plainText())
  return [bytes(text)]
}

/** In Python the class would be the application, and its instances the iterables. */
export class AppClass {
  readonly #environ: WSGIEnvironment
  readonly #startResponse: StartResponse

  constructor(environ: WSGIEnvironment, startResponse: StartResponse) {
    this.#environ = environ
    this.#startResponse = startResponse
  }

  *[Symbol.iterator](): Generator<Uint8Array> {
    yield* answer('class', this.#environ, this.#startResponse)
  }
}

/** An instance with `wsgi`, and with a method that is an application too. */
class Site {
  readonly kind = 'method'

  wsgi(environ: WSGIEnvironment, startResponse: StartResponse): Uint8Array[] {
    return answer('instance', environ, startResponse)
  }

  method(environ: WSGIEnvironment, startResponse: StartResponse): Uint8Array[] {
    return answer(this.kind, environ, startResponse)
  }
}

export const instance = new Site()
export const partial = answer.bind(null, 'partial')

/** Makes an application. */
export function factory(name = 'factory'): WSGIFunction {
  return (environ, startResponse) => answer(name, environ, startResponse)
}

/**
 * Has a method `wsgi`, and nothing else may be asked of it, but whether it is a promise: that is
 * asked of whatever is awaited.
 */
export const opaque: unknown = new Proxy(
  {},
  {
    get: (_, name) => {
      if (name === 'wsgi') return answer.bind(null, 'opaque')
      if (name === 'then') return undefined
      throw new Error(`an application is to be called, not introspected upon: ${String(name)}`)
    },
  },
)

/** How many arguments it is called with. */
register('positional', (...args) => {
  args[1]('200 OK', plainText())
  return [bytes(`${args.length} positional, 0 by keyword`)]
})
