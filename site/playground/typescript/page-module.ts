/**
 * What `import … from 'monoceros'` gives in the page: `monoceros/fetch`, and of the rest what can
 * work without Node.js. Two things have an equivalent: `pythonApp` runs in the page's Python, and
 * `makeServer` serves the page's HTTP client.
 */
import { errorHandler } from '../../../src/middleware/error-handler/error-handler.ts'
import { toFunction } from '../../../src/wsgi/application.ts'
import { setupTestingDefaults } from '../../../src/wsgi/testing-defaults.ts'
import type { WSGIApplication, WSGIFunction } from '../../../src/wsgi/types.ts'
import { validator } from '../../../src/wsgi/validator.ts'
import type { RunResult } from '../protocol.ts'
import { listen } from './page-network.ts'
import { serveApplication } from './serve-application.ts'

export * from '../../../src/fetch.ts'
export { errorHandler, setupTestingDefaults, toFunction, validator }

type AskPython = (module: string, mount: string, request: Uint8Array) => Promise<RunResult>

let askPython: AskPython | null = null

/** @internal */
export function answerPythonWith(ask: AskPython): void {
  askPython = ask
}

/** A Python application as a value: here it runs in the page's Python. */
export function pythonApp(reference: string): WSGIFunction {
  const [module = ''] = reference.split(':')
  return async (environ, startResponse) => {
    const path = `${environ.SCRIPT_NAME}${environ.PATH_INFO}`
    const body = await environ['wsgi.input'].read()
    const query = environ.QUERY_STRING ? `?${environ.QUERY_STRING}` : ''
    const head = [
      `${environ.REQUEST_METHOD} ${encodePath(environ.PATH_INFO || '/')}${query} HTTP/1.1`,
      `Host: ${environ.HTTP_HOST ?? 'localhost'}`,
      `Content-Length: ${body.length}`,
      '',
      '',
    ].join('\r\n')
    const bytes = new TextEncoder().encode(head)
    const request = new Uint8Array(bytes.length + body.length)
    request.set(bytes)
    request.set(body, bytes.length)
    const { failure, exchanges } = await askPython!(
      module,
      encodePath(environ.SCRIPT_NAME),
      request,
    )
    if (failure !== null) throw new Error(`PythonLoadError: ${failure}`)
    const response = exchanges[0]?.response
    if (!response) throw new Error(`${path}: Python gave no response`)
    startResponse(
      response.status,
      response.headers.map(([name, value]) => [name, value]),
    )
    return [response.body]
  }
}

function encodePath(view: string): string {
  return view.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

/** The reference server, for the page's HTTP client. */
export function makeServer(_host: string, port: number, app: WSGIApplication) {
  const address = { address: '127.0.0.1', family: 'IPv4', port: port || 8000 }
  const ended = new Promise<void>(() => {})
  return {
    listening: Promise.resolve(address),
    serveForever(): Promise<void> {
      listen((connection) => serveApplication(app, connection))
      return ended
    },
    async close(): Promise<void> {
      listen(null)
    },
  }
}
