import { type Field, type ResponseHead, responseHead } from '../http/response-head.ts'
import { checkHead, type HeadFacts } from '../wsgi/head-rules.ts'
import type { Judge } from '../wsgi/leniency.ts'
import { equivalentHead } from '../wsgi/lenient-head.ts'
import type { ResponseHeaders } from '../wsgi/types.ts'

interface Known {
  readonly status: string
  /** Names and values, one after the other. */
  readonly strings: readonly string[]
  readonly head: ResponseHead
}

const SLOTS = 64
const LONGEST_KEPT = 4096
const MOST_STRINGS = 512

/**
 * Makes response heads from the arguments of `startResponse`, and remembers the last ones: most
 * responses have one of a few heads, and comparing strings is much cheaper than checking them.
 */
export class ApplicationHeads {
  readonly #known: (Known | undefined)[] = new Array(SLOTS).fill(undefined)

  /**
   * @param judge decides whether a mistake may pass; null if none may
   * @throws WSGIError
   */
  check(status: string, headers: ResponseHeaders, judge: Judge | null = null): ResponseHead {
    const slot = slotOf(status, headers)
    const known = this.#known[slot]
    if (known !== undefined && Array.isArray(headers) && isSame(known, status, headers))
      return known.head
    let facts: HeadFacts
    let line = status
    let sent = headers
    try {
      facts = checkHead(status, headers)
    } catch (error) {
      if (judge === null) throw error
      ;({ status: line, headers: sent } = equivalentHead(status, headers, judge))
      facts = checkHead(line, sent)
    }
    const { status: code, contentLength } = facts
    // A copy, because the application may change its list.
    const fields = sent.map(([name, value]): Field => [name, value])
    const head = responseHead(code, fields, contentLength, line.slice(4))
    if (lengthOf(fields) <= LONGEST_KEPT && Array.isArray(headers)) {
      // Found again by what was given, not by what is sent.
      const given = headers.flat()
      if (given.length <= MOST_STRINGS) this.#known[slot] = { status, strings: given, head }
    }
    return head
  }
}

function lengthOf(fields: readonly Field[]): number {
  let length = 0
  for (const [name, value] of fields) length += name.length + value.length
  return length
}

/** Takes anything: the arguments are checked only if they are not known. */
function slotOf(status: string, headers: ResponseHeaders): number {
  let sum = typeof status === 'string' ? status.length : 0
  if (Array.isArray(headers)) {
    for (const header of headers) sum += header?.[1]?.length ?? 0
  }
  return Number.isSafeInteger(sum) ? sum % SLOTS : 0
}

function isSame(known: Known, status: string, headers: ResponseHeaders): boolean {
  const { strings } = known
  if (known.status !== status || strings.length !== headers.length * 2) return false
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i]
    if (
      typeof header !== 'object' ||
      header?.length !== 2 ||
      header[0] !== strings[i * 2] ||
      header[1] !== strings[i * 2 + 1]
    )
      return false
  }
  return true
}
