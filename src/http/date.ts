let second = 0
let line = ''

/**
 * The `Date` field line for now (RFC 9110 §6.6.1), made once a second: `Date: Sun, 06 Nov 1994
 * 08:49:37 GMT\r\n`.
 */
export function dateLine(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    line = `Date: ${new Date(now * 1000).toUTCString()}\r\n`
  }
  return line
}
