/** The two fields of W3C Trace Context (https://www.w3.org/TR/trace-context/), read and written. */

/** What `traceparent` says. */
export interface TraceParent {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string
  /** 16 hexadecimal digits, not all zero: the span of the sender. */
  readonly spanId: string
  readonly sampled: boolean
}

/** Version, trace-id, parent-id and trace-flags (§3.2.2), in lower case only. */
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ZEROS = /^0+$/

/**
 * Reads `traceparent` (§3.2).
 *
 * A later version is read as far as this one goes, and may have more at its end (§3.2.4).
 *
 * @param text the value; of several fields, joined with commas
 * @returns null if it is malformed: then a new trace begins, and `tracestate` is not read (§4.3)
 */
export function parseTraceParent(text: string): TraceParent | null {
  // Nobody knows what a longer one says, and a client chooses how long it is.
  if (text.length > 512) return null
  const parts = PARENT.exec(text)
  if (parts === null) return null
  const [, version, traceId = '', spanId = '', flags = '', more] = parts
  if (version === 'ff' || (version === '00' && more !== undefined)) return null
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** The value of `traceparent`, in version 00 (§3.2.2). */
export function formatTraceParent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** How many members the list may have (§3.3.1.1). */
const MOST_MEMBERS = 32
/** What is passed on at least, in characters (§3.3.1.5), and here at most. */
const LONGEST_STATE = 512
/** Members that are longer go first if the whole is too long (§3.3.1.5). */
const LONG_MEMBER = 128
/** More than 32 members cannot have. */
const LONGEST_LIST = MOST_MEMBERS * 520

/** §3.3.1.3.1; level 2 lets a key begin with a digit. */
const KEY = /^[a-z0-9][_0-9a-z\-*/@]{0,255}$/
/** §3.3.1.3.2: visible ASCII and spaces, without commas and equals signs, no space at the end. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/**
 * Reads `tracestate` (§3.3).
 *
 * @param text the value; of several fields, joined with commas
 * @returns what may be passed on, up to 512 characters; `''` for nothing, and if it is malformed
 */
export function passedTraceState(text: string): string {
  if (text.length > LONGEST_LIST) return ''
  const members: string[] = []
  const keys = new Set<string>()
  for (const part of text.split(',')) {
    const member = part.trim()
    if (member === '') continue
    const equals = member.indexOf('=')
    const key = member.slice(0, equals)
    if (equals === -1 || !KEY.test(key) || !VALUE.test(member.slice(equals + 1))) return ''
    if (keys.has(key)) return ''
    keys.add(key)
    members.push(member)
  }
  if (members.length > MOST_MEMBERS) return ''
  return shortened(members)
}

function shortened(members: readonly string[]): string {
  const whole = members.join(',')
  if (whole.length <= LONGEST_STATE) return whole
  const kept = members.filter(({ length }) => length <= LONG_MEMBER)
  while (kept.join(',').length > LONGEST_STATE) kept.pop()
  return kept.join(',')
}
