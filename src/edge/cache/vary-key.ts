import type { RequestHead } from '../../http/request-head.ts'

/** Longer values of the fields in Vary are too special to be stored. */
const LONGEST = 4096
const MOST_CODINGS = 32
/** Clients send few different lists of codings, so what was made of them is remembered. */
const remembered = new Map<string, string>()
const MOST_REMEMBERED = 128
const LONGEST_REMEMBERED = 256

/**
 * Identifies the variant of a resource that a request gets (RFC 9111 §4.1): the values of the
 * fields that Vary names.
 *
 * White space around commas has no meaning. Of Accept-Encoding, only which codings are acceptable
 * counts: browsers list the same ones in many ways, and a client can decode what it accepts.
 *
 * @param names in lower case and sorted
 * @returns `''` without names; null if the values are too long
 */
export function varyKey(names: readonly string[], head: RequestHead): string | null {
  if (names.length === 0) return ''
  let key = ''
  for (const name of names) {
    const value = head.get(name)
    // A field that is empty is not a field that is missing.
    if (value === undefined) key += '-\n'
    else key += `+${name === 'accept-encoding' ? codings(value) : trimmed(value)}\n`
  }
  return key.length > LONGEST ? null : key
}

function trimmed(value: string): string {
  return value.length > LONGEST ? value : value.trim().replace(/[\t ]*,[\t ]*/g, ',')
}

function codings(value: string): string {
  if (value.length > LONGEST_REMEMBERED) return codingsOf(value)
  let set = remembered.get(value)
  if (set !== undefined) return set
  set = codingsOf(value)
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.set(value, set)
  return set
}

function codingsOf(value: string): string {
  const parts = value.length > LONGEST ? [] : value.toLowerCase().split(',')
  if (parts.length === 0 || parts.length > MOST_CODINGS) return trimmed(value)
  const refused: string[] = []
  const accepted: string[] = []
  for (const part of parts) {
    const [coding = '', ...parameters] = part.split(';').map((text) => text.trim())
    if (coding === '') continue
    const refuses = parameters.some((text) => /^q[\t ]*=[\t ]*0(?:\.0*)?$/.test(text))
    ;(refuses ? refused : accepted).push(coding)
  }
  return `${[...new Set(accepted)].sort().join()};${[...new Set(refused)].sort().join()}`
}
