import type { Field } from '../../http/response-head.ts'

/**
 * The directives of Cache-Control, by their names in lower case (RFC 9111 §5.2). A directive
 * without a value, or with one that is not a number where one belongs, is `''`.
 */
export type Directives = ReadonlyMap<string, string>

const NONE: Directives = new Map()
/** `name`, or `name=token`, or `name="quoted"`; then a comma or the end. */
const DIRECTIVE =
  /[\t ]*([!#$%&'*+\-.^_`|~0-9A-Za-z]*)(?:[\t ]*=[\t ]*(?:"((?:[^"\\]|\\.)*)"|([^,]*)))?[^,]*(?:,|$)/y
/** Directives that have a number of seconds. */
const SECONDS: ReadonlySet<string> = new Set([
  'max-age',
  's-maxage',
  'min-fresh',
  'stale-while-revalidate',
  'stale-if-error',
])
/** The greatest age that has to be told from others (RFC 9111 §1.2.2). */
const MOST_SECONDS = 2 ** 31
/** Nobody means a longer one. */
const LONGEST = 8192

/**
 * Reads Cache-Control. Names are in any case, and quoted values may have commas.
 *
 * Where it is contradictory or malformed, the result is what stores less: of two numbers the
 * smaller one, and 0 for a number of seconds that is none (RFC 9111 §4.2.1).
 *
 * @example parseDirectives('Max-Age=60, private="a, b"').get('max-age') // '60'
 */
export function parseDirectives(value: string | undefined): Directives {
  if (value === undefined || value === '') return NONE
  if (value.length > LONGEST) return new Map([['no-store', '']])
  const directives = new Map<string, string>()
  DIRECTIVE.lastIndex = 0
  while (DIRECTIVE.lastIndex < value.length) {
    const found = DIRECTIVE.exec(value)
    if (found === null) break
    const [, name, quoted, token] = found
    if (name === '') continue
    const key = name!.toLowerCase()
    const text = quoted ?? token?.trim() ?? ''
    directives.set(key, SECONDS.has(key) ? least(directives.get(key), secondsOf(text)) : text)
  }
  return directives
}

/** A directive's number of seconds; 0 without it. */
export function seconds(directives: Directives, name: string): number {
  return Number(directives.get(name) ?? 0)
}

/** All values of a field as one (RFC 9110 §5.3), or undefined. */
export function joinedField(fields: readonly Field[], lowerName: string): string | undefined {
  let joined: string | undefined
  for (const [name, value] of fields) {
    if (name.length !== lowerName.length || name.toLowerCase() !== lowerName) continue
    joined = joined === undefined ? value : `${joined}, ${value}`
  }
  return joined
}

function secondsOf(text: string): number {
  return /^\d+$/.test(text) ? Math.min(Number(text), MOST_SECONDS) : 0
}

function least(before: string | undefined, now: number): string {
  return String(before === undefined ? now : Math.min(Number(before), now))
}
