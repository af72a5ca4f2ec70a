import { isPromise } from '../../wsgi/body.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'

/** What an application adds to its own profile: `environ['monoceros.timing']`. */
export interface RequestTiming {
  /**
   * Notes that something is reached, with the time since the request began.
   *
   * @param name a token, such as `auth` or `db-read` (RFC 9110 §5.6.2)
   * @throws TypeError for another name
   */
  mark(name: string, description?: string): void
  /**
   * Calls a function and notes how long it took: until its promise is settled, where it gives one.
   * What it gives or throws is passed on.
   *
   * @throws TypeError for a name that is no token
   * @example const rows = await timing.measure('db', () => database.query(sql))
   */
  measure<T>(name: string, call: () => T, description?: string): T
}

/** What an application has added. */
export interface TimingEntry {
  readonly name: string
  readonly description: string
  /** When it began, in milliseconds since the request began; 0 for a mark. */
  readonly start: number
  /** In milliseconds. */
  readonly duration: number
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/
/** A loop that measures each of its rounds must not fill the memory, nor the header. */
const MOST_ENTRIES = 50

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
      `The name of a timing must be a token of at most 64 characters, such as "db-read", not ${describeValue(name)}`,
    ),
    { code: 'bad-timing-name' },
  )
}

/**
 * Entries as the header `Server-Timing` has them (W3C Server Timing §4.1).
 *
 * @example serverTiming([{ name: 'db', description: 'read', start: 0, duration: 1.5 }]) // 'db;desc="read";dur=1.5'
 */
export function serverTiming(entries: readonly Omit<TimingEntry, 'start'>[]): string {
  return entries
    .map(({ name, description, duration }) => {
      // Only what a quoted string may hold in every browser; the rest is for people anyway.
      const text = description
        .slice(0, 100)
        .replace(/[^\x20-\x7e]/g, '?')
        .replace(/["\\]/g, '\\$&')
      return `${name}${text === '' ? '' : `;desc="${text}"`};dur=${Math.round(duration * 1000) / 1000}`
    })
    .join(', ')
}
