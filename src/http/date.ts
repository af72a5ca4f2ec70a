let second = 0
let date = ''

/**
 * The value of a `Date` field for now (RFC 9110 §6.6.1): `Sun, 06 Nov 1994 08:49:37 GMT`. Within a
 * second it is the same string.
 */
export function httpDate(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    date = new Date(now * 1000).toUTCString()
  }
  return date
}
