/**
 * Where does the time go? `profiler` measures each request: until the head is given, until the
 * first byte, until the end; how much of it the application had, and how much went by waiting for
 * the client. Browsers show some of it in their developer tools (`Server-Timing`), `report()` sums
 * it up by route.
 *
 * Put it next to what it is to measure: inside of compression and the like, its times are the
 * application's alone.
 *
 * @example
 * import { profiler, type RequestTiming } from 'monoceros'
 *
 * const profile = profiler({ onProfile: ({ route, total }) => total > 500 &&
 * console.warn(`${route}: ${total} ms`) }) export const app = profile(async (environ,
 * startResponse) => { const timing = environ['monoceros.timing'] as RequestTiming const rows =
 * await timing.measure('db', () => database.query('SELECT 1')) startResponse('200 OK',
 * [['Content-Type', 'application/json']]) return [encode(rows)] }) setInterval(() =>
 * console.table(profile.report()), 60_000).unref()
 */
import { toFunction } from '../../wsgi/application.ts'
import { isPromise } from '../../wsgi/body.ts'
import { failureText } from '../../wsgi/failure.ts'
import type {
  ResponseHeaders,
  WSGIApplication,
  WSGIEnvironment,
  WSGIFunction,
} from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import {
  type FinishedResponse,
  type ResponseOutcome,
  type ResponseWatcher,
  watchResponse,
} from '../watched-response.ts'
import { serverTiming, Timing, type TimingEntry } from './request-timing.ts'
import { RouteSummaries, type RouteSummary, routeOf } from './route-summary.ts'

/** The times of one request, in milliseconds. */
export interface RequestProfile {
  readonly route: string
  readonly status: number
  readonly outcome: ResponseOutcome
  /** Bytes of body given to the server. */
  readonly bytes: number
  /**
   * From the call of the application until it called `startResponse`, the last time; null where it
   * did not.
   */
  readonly toHead: number | null
  /** Until there was a first piece of body that is not empty; null where there was none. */
  readonly toFirstByte: number | null
  /** Until the response was over: its body closed. */
  readonly total: number
  /**
   * The part of `total` in which the application was asked for something: its call, its promise,
   * each piece of its body. What it awaits is in it.
   */
  readonly application: number
  /**
   * The part of `total` in which a piece was given and the next not yet asked for, or `write()` was
   * waited for: the client, as a rule. Next to nothing for a response that was at hand as a whole.
   */
  readonly client: number
  /**
   * How busy the process was meanwhile, with this and all other requests, from 0 to 1. A slow
   * request at 1 waited for its turn; one near 0 waited for something outside. Null where the
   * runtime cannot tell.
   */
  readonly eventLoopUtilisation: number | null
  /** What the application added by `environ['monoceros.timing']`; the first fifty. */
  readonly entries: readonly TimingEntry[]
}

export interface ProfilerOptions {
  /**
   * Whether responses get the header `Server-Timing`, with what is known when their head is given:
   * `app`, the time until then, and the application's own entries. True unless it says otherwise.
   * It is shown to every client: where times could tell a secret (whether a name exists, a cache
   * was hit), turn it off.
   */
  readonly serverTiming?: boolean
  /**
   * Gets each request's profile when its response is over. Its errors go to `wsgi.errors`; it may
   * be asynchronous.
   */
  readonly onProfile?: (profile: RequestProfile, environ: WSGIEnvironment) => unknown
  /**
   * By what requests are summed up, looked at when the response is over. Otherwise
   * `environ['monoceros.route']`, where the application has put a text there, or the path with
   * `:id` in place of numbers and UUIDs; the method before it. What is answered 404 or 405 and has
   * no name is summed up by its status, `(404)`: clients that try paths, or methods, must not use
   * up the routes.
   */
  readonly route?: (environ: WSGIEnvironment) => string
  /**
   * For how many routes there are sums; further ones are summed up as `(others)`. 200 unless it
   * says otherwise; each takes 2 KB.
   */
  readonly maxRoutes?: number
}

/** A middleware that knows how long its requests took. */
export interface Profiler {
  (app: WSGIApplication): WSGIFunction
  /** The routes so far, those first that took most time altogether. */
  report(): RouteSummary[]
  /** Begins anew. */
  reset(): void
}

/**
 * Measures requests.
 *
 * @throws TypeError, RangeError (`code` `bad-option`) for an option that is wrong
 */
export function profiler(options: ProfilerOptions = {}): Profiler {
  checkOptions(options)
  const summaries = new RouteSummaries(options.maxRoutes ?? 200)
  const middleware = (app: WSGIApplication): WSGIFunction => {
    const inner = toFunction(app)
    const profiled: WSGIFunction = (environ, startResponse) =>
      watchResponse(inner, environ, startResponse, new RequestWatch(options, environ, summaries))
    return profiled
  }
  return Object.assign(middleware, {
    report: () => summaries.report(),
    reset: () => summaries.clear(),
  })
}

type Utilisation = ReturnType<typeof performance.eventLoopUtilization>

class RequestWatch implements ResponseWatcher {
  readonly #options: ProfilerOptions
  readonly #environ: WSGIEnvironment
  readonly #summaries: RouteSummaries
  readonly #timing: Timing
  readonly #method: string
  readonly #path: string
  readonly #began = performance.now()
  readonly #utilisation: Utilisation | null = utilisation()
  #head: number | null = null
  #firstByte: number | null = null
  /** When the application's body was there. */
  #returned: number | null = null
  #application = 0
  #client = 0
  /** Since when the application, or the client, is at it. */
  #since: number
  #turn: 'application' | 'client' = 'application'
  #writing = 0

  constructor(options: ProfilerOptions, environ: WSGIEnvironment, summaries: RouteSummaries) {
    this.#options = options
    this.#environ = environ
    this.#summaries = summaries
    this.#method = environ.REQUEST_METHOD
    this.#path = environ.SCRIPT_NAME + environ.PATH_INFO
    this.#timing = new Timing(this.#began)
    this.#since = this.#began
    environ['monoceros.timing'] = this.#timing
  }

  head(_status: string, headers: ResponseHeaders): ResponseHeaders {
    this.#head = performance.now()
    if (this.#options.serverTiming === false || !Array.isArray(headers)) return headers
    const own = { name: 'app', description: '', duration: this.#head - this.#began }
    return [...headers, ['Server-Timing', serverTiming([own, ...this.#timing.entries])]]
  }

  returned(): void {
    this.#returned = performance.now()
    this.#pass('client')
  }

  asked(): void {
    this.#pass('application')
  }

  given(bytes: number): void {
    if (bytes > 0 && this.#firstByte === null) this.#firstByte = performance.now()
    // By write() the application goes on; by its body it is done until it is asked again.
    if (this.#returned !== null) this.#pass('client')
  }

  writing(): () => void {
    this.#writing++
    this.#pass('client')
    return () => {
      this.#writing--
      if (this.#writing === 0 && this.#returned === null) this.#pass('application')
    }
  }

  over(response: FinishedResponse): void {
    this.#pass('client')
    const now = performance.now()
    const route = this.#route(response.status)
    const total = now - this.#began
    this.#summaries.add(route, total, response.status >= 500 || response.outcome === 'failed')
    const { onProfile } = this.#options
    if (onProfile === undefined) return
    try {
      const result = onProfile(
        {
          route,
          status: response.status,
          outcome: response.outcome,
          bytes: response.bytes,
          toHead: this.#sinceBegin(this.#head),
          toFirstByte: this.#sinceBegin(this.#firstByte),
          total,
          application: this.#application,
          client: this.#client,
          eventLoopUtilisation: share(this.#utilisation),
          entries: this.#timing.entries,
        },
        this.#environ,
      )
      if (isPromise(result)) result.then(undefined, (error: unknown) => this.#complain(error))
    } catch (error) {
      this.#complain(error)
    }
  }

  /** The time since the last change goes to whose turn it was. */
  #pass(turn: 'application' | 'client'): void {
    const now = performance.now()
    if (this.#turn === 'application') this.#application += now - this.#since
    else this.#client += now - this.#since
    this.#since = now
    this.#turn = turn
  }

  #sinceBegin(time: number | null): number | null {
    return time === null ? null : time - this.#began
  }

  #route(status: number): string {
    try {
      if (this.#options.route !== undefined)
        return String(this.#options.route(this.#environ)).slice(0, 200)
    } catch (error) {
      this.#complain(error)
    }
    const named = this.#environ['monoceros.route']
    if (typeof named === 'string') return `${this.#method.slice(0, 20)} ${named.slice(0, 200)}`
    return status === 404 || status === 405 ? `(${status})` : routeOf(this.#method, this.#path)
  }

  #complain(error: unknown): void {
    try {
      this.#environ['wsgi.errors'].write(`The profiler's option failed: ${failureText(error)}\n`)
    } catch {
      // There is nowhere left to say it, and the response must not suffer.
    }
  }
}

function utilisation(): Utilisation | null {
  return typeof performance.eventLoopUtilization === 'function'
    ? performance.eventLoopUtilization()
    : null
}

function share(before: Utilisation | null): number | null {
  if (before === null) return null
  const { utilization } = performance.eventLoopUtilization(before)
  return Number.isFinite(utilization) ? Math.min(1, Math.max(0, utilization)) : null
}

function checkOptions(options: ProfilerOptions): void {
  for (const name of ['onProfile', 'route'] as const) {
    const value: unknown = options[name]
    if (value !== undefined && typeof value !== 'function')
      throw optionError(
        TypeError,
        `profiler: ${name} must be a function, not ${describeValue(value)}`,
      )
  }
  const { serverTiming: shown, maxRoutes } = options
  if (shown !== undefined && typeof shown !== 'boolean')
    throw optionError(
      TypeError,
      `profiler: serverTiming must be true or false, not ${describeValue(shown)}`,
    )
  if (
    maxRoutes !== undefined &&
    !(Number.isInteger(maxRoutes) && maxRoutes > 0 && maxRoutes <= 100_000)
  )
    throw optionError(
      RangeError,
      `profiler: maxRoutes must be a whole number from 1 to 100000, not ${describeValue(maxRoutes)}`,
    )
}
