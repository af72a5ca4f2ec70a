import { quoteText } from '../../bytes/quoted.ts'
import type { HeaderMap } from '../../http/limits.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { isPrefix } from '../../semantics/x-forwarded.ts'
import { TrustError } from './trust-error.ts'

/**
 * The headers with underscores in their names that only trusted proxies may send
 * (`forwarder_headers`). `SCRIPT_NAME` says where the application is mounted, as in Gunicorn.
 */
export class ForwarderHeaders {
  readonly #names: ReadonlySet<string>
  readonly #headerMap: HeaderMap

  /** @param names in any case; `*` for all */
  constructor(names: readonly string[], headerMap: HeaderMap) {
    this.#names = new Set(names.map((name) => name.toLowerCase()))
    this.#headerMap = headerMap
  }

  /**
   * Whether a field with an underscore in its name stays.
   *
   * @throws TrustError (`underscore-in-field-name`) if the request must be refused because of it
   */
  keeps(lowerName: string, trusted: boolean): boolean {
    if (this.#headerMap === 'dangerous') return true
    if (trusted && (this.#names.has(lowerName) || this.#names.has('*'))) return true
    if (this.#headerMap === 'drop') return false
    throw new TrustError(
      'underscore-in-field-name',
      `the header ${quoteText(lowerName)} is only for the proxies of forwarded_allow_ips`,
    )
  }

  /**
   * The `SCRIPT_NAME` of a request of a trusted proxy; null if it says none.
   *
   * @throws TrustError (`bad-script-name`)
   */
  scriptName(head: RequestHead): string | null {
    if (!this.#names.has('script_name') && !this.#names.has('*')) return null
    const value = head.get('script_name')
    return value === undefined ? null : mountedAt(value)
  }
}

/**
 * A path at which a proxy says that the application is mounted, as `SCRIPT_NAME` has it: without a
 * slash at its end (PEP 3333 "environ Variables").
 *
 * @throws TrustError (`bad-script-name`)
 */
function mountedAt(value: string): string {
  if (value === '' || value === '/') return ''
  if (isPrefix(value)) return withoutSlashes(value)
  throw new TrustError(
    'bad-script-name',
    `the proxy has sent a SCRIPT_NAME that is no path: ${quoteText(value)}`,
  )
}

/** Without slashes at the end. */
export function withoutSlashes(path: string): string {
  let end = path.length
  while (end > 0 && path.endsWith('/', end)) end--
  return path.slice(0, end)
}
