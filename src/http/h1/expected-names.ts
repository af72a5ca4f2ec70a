import { CACHED_NAME_BYTES, type FieldName } from '../field-names.ts'

/**
 * How many names a connection keeps at most, to expect them of its next request. They stay while it
 * is idle, and a client chooses them: well-known ones are there anyway, each other may be this
 * connection's alone and take 450 bytes.
 */
const EXPECTED_NAMES = 64
const EXPECTED_UNKNOWN_NAMES = 16

/**
 * Which names of a request a connection keeps, to expect them of its next one: up to the first that
 * costs too much.
 */
export function expectedNames(names: readonly FieldName[]): readonly FieldName[] {
  const most = Math.min(names.length, EXPECTED_NAMES)
  let unknown = 0
  for (let i = 0; i < most; i++) {
    const name = names[i]!
    if (name.id >= 0) continue
    unknown++
    if (unknown > EXPECTED_UNKNOWN_NAMES || name.bytes.length > CACHED_NAME_BYTES)
      return names.slice(0, i)
  }
  return most === names.length ? names : names.slice(0, most)
}
