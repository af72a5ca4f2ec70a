/** Methods that are found by their bytes, without making a string. */
const COMMON_METHODS = [
  'GET',
  'POST',
  'HEAD',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
  'REPORT',
  'SEARCH',
  'QUERY',
] as const

const byLength: { name: string; bytes: Uint8Array }[][] = []
for (const name of COMMON_METHODS) {
  const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0))
  byLength[name.length] = [...(byLength[name.length] ?? []), { name, bytes }]
}
for (let length = 0; length < byLength.length; length++) byLength[length] ??= []

/**
 * The method in `[start, end)` of `bytes`, which must be a token. Methods are case-sensitive (RFC
 * 9110 §9.1).
 */
export function methodName(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length < byLength.length) {
    for (const method of byLength[length]!) {
      let i = 0
      while (i < length && method.bytes[i] === bytes[start + i]) i++
      if (i === length) return method.name
    }
  }
  return bytes.toString('latin1', start, end)
}
