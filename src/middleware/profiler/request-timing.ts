import { isPromise } from '../../wsgi/body.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'

/** Adds entries to the profile of a request: `environ['monoceros.timing']`. */
export interface RequestTiming {
  /**
   * Adds an entry with the time since the request began.
   *
   * @param name a token of at most 64 characters, such as `auth` or `db-read` (RFC 9110 §5.6.2)
   * @throws TypeError (`bad-timing-name`) for any other name
   */
  mark(name: string, description?: string): void
  /**
   * Calls a function and adds an entry with the time it took, up to the settlement of its promise
   * if it returns one. Its result or error is passed on.
   *
   * @throws TypeError (`bad-timing-name`) for a name that is not a token
   * @example const rows = await timing.measure('db', () => database.query(sql))
   */
  measure<T>(name: string, call: () => T, description?: string): T
}

/** An entry that an application added to a profile. */
export interface TimingEntry {
  readonly name: string
  readonly description: string
  /** When it began, in milliseconds since the request began; 0 for a mark. */
  readonly start: number
  /** In milliseconds. */
  readonly duration: number
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/
/** A loop that measures each iteration must not fill the memory or the header. */
const MOST_ENTRIES = 50

/** The entries of one request. */
export class Timing implements RequestTiming {
  readonly entries: TimingEntry[] = []
  readonly #began: number

  constructor(began: number) {
    this.#began = began
  }

  mark(name: string, description = ''): void {
    checkName(name)
    this.#add(name, description, this.#began)
  }

  measure<T>(name: string, call: () => T, description = ''): T {
    checkName(name)
    const start = performance.now()
    const over = () => this.#add(name, description, start)
    let result: T
    try {
      result = call()
    } catch (error) {
      over()
      throw error
    }
    if (isPromise(result)) result.then(over, over)
    else over()
    return result
  }

  #add(name: string, description: string, start: number): void {
    if (this.entries.length >= MOST_ENTRIES) return
    this.entries.push({
      name,
      description: String(description),
      start: start - this.#began,
      duration: performance.now() - start,
    })
  }
}

function checkName(name: unknown): void {
  if (typeof name === 'string' && TOKEN.test(name)) return
  throw Object.assign(
    new TypeError(
      'profiler: the name of a timing must be a token of at most 64 characters, ' +
        `such as "db-read", not ${describeValue(name)}`,
    ),
    { code: 'bad-timing-name' },
  )
}

/**
 * The value of the header `Server-Timing` (W3C Server Timing §4.1).
 *
 * @example
 * serverTiming([{ name: 'db', description: 'read', duration: 1.5 }])
 * // 'db;desc="read";dur=1.5'
 */
export function serverTiming(entries: readonly Omit<TimingEntry, 'start'>[]): string {
  return entries
    .map(({ name, description, duration }) => {
      // Only characters that a quoted string may have in every browser.
      const text = description
        .slice(0, 100)
        .replace(/[^\x20-\x7e]/g, '?')
        .replace(/["\\]/g, '\\$&')
      const shown = text === '' ? '' : `;desc="${text}"`
      return `${name}${shown};dur=${Math.round(duration * 1000) / 1000}`
    })
    .join(', ')
}
