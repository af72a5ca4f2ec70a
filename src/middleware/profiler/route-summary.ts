import { DurationHistogram } from './duration-histogram.ts'

/**
 * What is known of all responses of one route. Times are in milliseconds, from the request's
 * arrival until its response was over.
 */
export interface RouteSummary {
  /** `GET /cart/:id` */
  readonly route: string
  readonly count: number
  /** Responses with a status from 500 on, or that were broken off by the application. */
  readonly failures: number
  readonly total: number
  readonly mean: number
  /** Half of all took no longer; right to 2.5 %, as is `p95`. */
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** Where routes are counted that came when there were too many. */
const OTHERS = '(others)'

/**
 * The summaries of a bounded number of routes: clients choose paths, so there may be any number of
 * them.
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

  /** The routes that took most time altogether come first. */
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

/** A number, a UUID, or a long run of hex digits: what stands for one thing of many. */
const IDENTIFIER = /^(?:\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=.*\d)[0-9a-f]{16,})$/i
const LONGEST_ROUTE = 200

/**
 * A path with `:id` in the place of what identifies one thing of many.
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
