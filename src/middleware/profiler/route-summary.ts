import { DurationHistogram } from './duration-histogram.ts'

/**
 * The sums over all responses of a route. Times are in milliseconds, from the arrival of the
 * request to the end of its response.
 */
export interface RouteSummary {
  /** The method and the route: `GET /cart/:id`. */
  readonly route: string
  readonly count: number
  /** The number of responses with status 500 or more, or that the application did not complete. */
  readonly failures: number
  readonly total: number
  readonly mean: number
  /** The median; off by at most 2.5 %, like `p95`. */
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** The name under which routes beyond the limit are summed up. */
const OTHERS = '(others)'

/**
 * The summaries of a limited number of routes: clients choose paths, so there may be any number.
 */
export class RouteSummaries {
  readonly #most: number
  readonly #routes = new Map<string, { durations: DurationHistogram; failures: number }>()

  constructor(most: number) {
    this.#most = most
  }

  add(route: string, milliseconds: number, failed: boolean): void {
    const known = this.#routes.get(route) ?? this.#newRoute(route)
    known.durations.add(milliseconds)
    if (failed) known.failures++
  }

  #newRoute(route: string) {
    const name = this.#routes.size < this.#most ? route : OTHERS
    let made = this.#routes.get(name)
    if (made === undefined) {
      made = { durations: new DurationHistogram(), failures: 0 }
      this.#routes.set(name, made)
    }
    return made
  }

  /** The summaries. Routes that took the most time in total come first. */
  report(): RouteSummary[] {
    return [...this.#routes]
      .map(([route, { durations, failures }]) => ({
        route,
        count: durations.count,
        failures,
        total: durations.sum,
        mean: durations.mean,
        p50: durations.quantile(0.5),
        p95: durations.quantile(0.95),
        max: durations.max,
      }))
      .sort((a, b) => b.total - a.total)
  }

  clear(): void {
    this.#routes.clear()
  }
}

/** A segment that identifies one item of many: a number, a UUID, or a long run of hex digits. */
const IDENTIFIER = /^(?:\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=.*\d)[0-9a-f]{16,})$/i
const LONGEST_ROUTE = 200

/**
 * The method and the path, with `:id` in place of segments that identify one item of many.
 *
 * @example routeOf('GET', '/cart/17/items') // 'GET /cart/:id/items'
 */
export function routeOf(method: string, path: string): string {
  const route = path
    .slice(0, LONGEST_ROUTE)
    .split('/')
    .map((segment) => (IDENTIFIER.test(segment) ? ':id' : segment))
    .join('/')
  return `${method.slice(0, 20)} ${route}`
}
