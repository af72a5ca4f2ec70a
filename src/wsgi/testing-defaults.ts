import { errorStream } from './error-stream.ts'
import { guessScheme } from './guess-scheme.ts'
import { emptyInput } from './input-stream.ts'
import type { WSGIEnvironment } from './types.ts'

/**
 * Adds the missing variables to an environ, for a unit test that calls an application directly
 * (`wsgiref.util.setup_testing_defaults`): a GET of `/` at 127.0.0.1 without a body. Variables that
 * are present stay. `wsgi.errors` keeps the text that is written to it; read it with
 * `String(environ['wsgi.errors'])`.
 *
 * Do not use it in a server, because the data is made up. A test of a whole response is easier with
 * `testClient`.
 *
 * @param environ changed in place
 * @example
 * const environ: Partial<WSGIEnvironment> = { PATH_INFO: '/cart' }
 * setupTestingDefaults(environ)
 * app(environ, startResponse)
 */
export function setupTestingDefaults(
  environ: Partial<WSGIEnvironment>,
): asserts environ is Partial<WSGIEnvironment> & WSGIEnvironment {
  environ.SERVER_NAME ??= '127.0.0.1'
  environ.SERVER_PROTOCOL ??= 'HTTP/1.0'
  environ.HTTP_HOST ??= environ.SERVER_NAME
  environ.REQUEST_METHOD ??= 'GET'
  if (environ.SCRIPT_NAME === undefined && environ.PATH_INFO === undefined) {
    environ.SCRIPT_NAME = ''
    environ.PATH_INFO = '/'
  }
  environ['wsgi.version'] ??= [1, 0]
  environ['wsgi.run_once'] ??= false
  environ['wsgi.multithread'] ??= false
  environ['wsgi.multiprocess'] ??= false
  environ['wsgi.input'] ??= emptyInput
  if (environ['wsgi.errors'] === undefined) {
    let text = ''
    environ['wsgi.errors'] = Object.assign(
      errorStream((more) => {
        text += more
      }),
      { toString: () => text },
    )
  }
  environ['wsgi.url_scheme'] ??= guessScheme(environ)
  if (environ['wsgi.url_scheme'] === 'http') environ.SERVER_PORT ??= '80'
  else if (environ['wsgi.url_scheme'] === 'https') environ.SERVER_PORT ??= '443'
}
