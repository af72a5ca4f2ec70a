import { checkField, hopByHopError, isHopByHop } from './head-rules.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

const WHOSE = 'wsgi.early_hints: '
/** How many bytes of early hints one request may send. Workers have the same limit. */
const HINTS_SIZE = 64 * 1024
/** What each call counts in addition to its headers, in bytes. */
const HINTS_COST = 32

/** Checks the early hints of one request (RFC 8297). */
export class HintRules {
  #sent = 0

  /**
   * @param headers what the application gave to `wsgi.early_hints`
   * @returns a copy
   * @throws WSGIError for a header that an interim response cannot have, and for too many
   */
  check(headers: ResponseHeaders): [name: string, value: string][] {
    if (!Array.isArray(headers)) {
      throw new WSGIError(
        'The start_response() Callable',
        `${WHOSE}the headers must be an array of [name, value], not ${describeValue(headers)}`,
      )
    }
    this.#sent += HINTS_COST
    const fields = headers.map((header) => checked(header))
    for (const [name, value] of fields) this.#sent += name.length + value.length + 4
    if (this.#sent > HINTS_SIZE) {
      throw new WSGIError(
        'Other HTTP Features',
        `${WHOSE}one request may send ${HINTS_SIZE} bytes of early hints; send fewer`,
      )
    }
    return fields
  }
}

function checked(header: unknown): [string, string] {
  if (!Array.isArray(header) || header.length !== 2) {
    throw new WSGIError(
      'The start_response() Callable',
      `${WHOSE}each header must be an array of a name and a value, not ${describeValue(header)}`,
    )
  }
  const [name, value] = header as [string, string]
  checkField(name, value, WHOSE)
  if (isHopByHop(name)) throw hopByHopError(name, WHOSE)
  if (name.toLowerCase() === 'content-length') {
    throw new WSGIError(
      'Handling the Content-Length Header',
      `${WHOSE}an interim response has no Content-Length (RFC 9110 §8.6); leave it out`,
    )
  }
  return [name, value]
}
