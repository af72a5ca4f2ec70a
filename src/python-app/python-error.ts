/**
 * The errors of a Python application that is a TypeScript value.
 *
 * The application throws them: middleware such as `errorHandler` catches them, and a server answers
 * them. They have a stable `code`. Those that are not the application's fault also have a `status`
 * (502, 503 or 504), like those of `http-errors`.
 *
 * @example
 * import { PythonError, pythonApp } from 'monoceros'
 *
 * const flask = pythonApp('flaskapp:app')
 * const app: WSGIApplication = async (environ, startResponse) => {
 *   try {
 *     return await flask(environ, startResponse)
 *   } catch (error) {
 *     if (error instanceof PythonError) await report(error.message, error.traceback)
 *     throw error
 *   }
 * }
 */

/**
 * The Python application raised before any part of its response was sent. `message` is the last
 * line of the traceback.
 */
export class PythonError extends Error {
  readonly code: 'python-error' | 'python-load' = 'python-error'
  /** What Python prints for the exception, on several lines. */
  readonly traceback: string

  /** @param about goes before the traceback's last line in the message */
  constructor(traceback: string, about = '') {
    super(about + lastLine(traceback))
    this.name = 'PythonError'
    this.traceback = traceback.trimEnd()
    // The place in Monoceros where the frame was read is of no use.
    this.stack = `${this.name}: ${this.message}\n${this.traceback}`
  }
}

/** The Python application could not be loaded. The next request tries again. */
export class PythonLoadError extends PythonError {
  override readonly code = 'python-load'

  constructor(application: string, traceback: string) {
    super(traceback, `The Python application ${application} could not be loaded: `)
    this.name = 'PythonLoadError'
    this.stack = `${this.name}: ${this.message}\n${this.traceback}`
  }
}

/**
 * The Python application ended its response before it was complete. Its traceback is in the log.
 */
export class PythonBrokenError extends Error {
  readonly code = 'python-broken'

  constructor() {
    super('The Python application failed in the middle of its response; the log has the traceback')
    this.name = 'PythonBrokenError'
    this.stack = `${this.name}: ${this.message}` // as above
  }
}

/**
 * - `python-worker-lost` (502): the worker ended while it ran the request
 * - `python-busy` (503): no worker was free in time
 * - `python-timeout` (504): the application took longer than `timeout`
 * - `python-start` (503): no worker could be started, or there is no interpreter
 * - `python-closed` (503): the application has been closed
 */
export type PythonUnavailableCode =
  | 'python-worker-lost'
  | 'python-busy'
  | 'python-timeout'
  | 'python-start'
  | 'python-closed'

const STATUSES: Readonly<Record<PythonUnavailableCode, 502 | 503 | 504>> = {
  'python-worker-lost': 502,
  'python-busy': 503,
  'python-timeout': 504,
  'python-start': 503,
  'python-closed': 503,
}

/** There is no answer from the Python application. */
export class PythonUnavailableError extends Error {
  readonly code: PythonUnavailableCode
  readonly status: 502 | 503 | 504
  /** The message is for the log, not for clients. */
  readonly expose = false
  /** Headers that the answer should have. */
  readonly headers: Readonly<Record<string, string>>

  constructor(code: PythonUnavailableCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PythonUnavailableError'
    this.stack = `${this.name}: ${message}` // as above
    this.code = code
    this.status = STATUSES[code]
    this.headers = code === 'python-busy' ? { 'Retry-After': '1' } : {}
  }
}

/** An option of `pythonApp` has a wrong value. */
export class PythonOptionError extends TypeError {
  readonly code = 'python-option'

  constructor(message: string) {
    super(message)
    this.name = 'PythonOptionError'
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)!.trim()
}
