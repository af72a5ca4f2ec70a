/**
 * Measures where the time of each request goes: to the head, to the first byte, to the end, in the
 * application, and in waiting for the client. Browsers show a part of it in their developer tools
 * (`Server-Timing`), and `report()` sums it up by route.
 *
 * Put it directly around what it should measure. Inside compression and similar middleware, it
 * measures the application alone.
 *
 * Do not enable `serverTiming` where times could reveal a secret, such as whether a name exists.
 *
 * @example
 * import { profiler } from 'monoceros'
 *
 * const profile = profiler({
 *   onProfile: ({ route, total }) => total > 500 && console.warn(`${route}: ${total} ms`),
 * })
 * export const app = profile(async (environ, startResponse) => {
 *   const timing = environ['monoceros.timing']! // the profiler around it has set it
 *   const rows = await timing.measure('db', () => database.query('SELECT 1'))
 *   startResponse('200 OK', [['Content-Type', 'application/json']])
 *   return [encode(rows)]
 * })
 * setInterval(() => console.table(profile.report()), 60_000).unref()
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
import { type RequestTiming, serverTiming, Timing, type TimingEntry } from './request-timing.ts'
import { RouteSummaries, type RouteSummary, routeOf } from './route-summary.ts'

declare module '../../wsgi/types.ts' {
  interface WSGIEnvironment {
    /** Adds entries to the profile of the request; from the middleware `profiler`. */
    'monoceros.timing'?: RequestTiming | undefined
    /** Set by applications: the name by which `profiler` sums up the request, `/articles/:id`. */
    'monoceros.route'?: string | undefined
  }
}

/** The measurements of one request. Times are in milliseconds. */
export interface RequestProfile {
  readonly route: string
  readonly status: number
  readonly outcome: ResponseOutcome
  /** The bytes of body that the server was given. */
  readonly bytes: number
  /**
   * The time from the call of the application to its last call of `startResponse`; null if it did
   * not call it.
   */
  readonly toHead: number | null
  /** The time to the first piece of body that is not empty; null if there was none. */
  readonly toFirstByte: number | null
  /** The time to the end of the response, when its body was closed. */
  readonly total: number
  /**
   * The part of `total` that the application took: its call, its promise, and each piece of its
   * body, including what it awaits.
   */
  readonly application: number
  /**
   * The part of `total` between a piece and the request for the next one, or in which `write()` was
   * awaited: usually the time of the client. Nearly 0 for a response that was in memory as a whole.
   */
  readonly client: number
  /**
   * How busy the process was in the meantime, with this and all other requests, from 0 to 1. A slow
   * request near 1 waited for its turn; one near 0 waited for something outside the process. Null
   * if the runtime does not measure it.
   */
  readonly eventLoopUtilisation: number | null
  /** The first fifty entries that the application added with `environ['monoceros.timing']`. */
  readonly entries: readonly TimingEntry[]
}

/** Options of {@link profiler}. */
export interface ProfilerOptions {
  /**
   * Whether responses get a header `Server-Timing`. It has the time until the head was given
   * (`app`) and the entries of the application so far. Every client can read it: set it to false if
   * times could reveal a secret, such as whether a name exists or a cache was hit. Defaults to
   * true.
   */
  readonly serverTiming?: boolean
  /**
   * Called with the profile of each request when its response has ended. May be asynchronous. Its
   * errors are written to `wsgi.errors`.
   */
  readonly onProfile?: (profile: RequestProfile, environ: WSGIEnvironment) => unknown
  /**
   * Names the route by which a request is summed up. Called when the response has ended. Defaults
   * to the method and `environ['monoceros.route']`, or, if the application set none, the method and
   * the path with `:id` in place of numbers and UUIDs. Unnamed requests that are answered with 404
   * or 405 are summed up by status, `(404)`, so that clients that try out paths cannot use up the
   * routes.
   */
  readonly route?: (environ: WSGIEnvironment) => string
  /**
   * The most routes that are summed up separately; further ones are summed up as `(others)`. Each
   * takes 2 KB of memory. Defaults to 200.
   */
  readonly maxRoutes?: number
}

/** A middleware that measures requests, with the sums of all so far. */
export interface Profiler {
  (app: WSGIApplication): WSGIFunction
  /** The sums by route. Routes that took the most time in total come first. */
  report(): RouteSummary[]
  /** Removes all sums. */
  reset(): void
}

/**
 * Makes a middleware that measures requests.
 *
 * @throws TypeError or RangeError (`bad-option`) if an option is wrong
 * @example
 * const profile = profiler({ serverTiming: false })
 * export const app = profile(shop)
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
  /** When the application returned its body. */
  #returned: number | null = null
  #application = 0
  #client = 0
  /** When the current turn began, of the application or of the client. */
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
    // After write() the application continues. After a piece of its body it pauses.
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

  /** Adds the time since the last change to the side whose turn it was. */
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
      this.#environ['wsgi.errors'].write(`profiler: an option failed: ${failureText(error)}\n`)
    } catch {
      // The error cannot be reported anywhere, and must not affect the response.
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
      'profiler: maxRoutes must be a whole number from 1 to 100000, ' +
        `not ${describeValue(maxRoutes)}`,
    )
}
