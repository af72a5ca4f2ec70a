import { isIPv6 } from 'node:net'
import {
  CLOSING_BRACKET,
  COLON,
  DIGIT,
  HEX_DIGIT_PLUS_ONE,
  OPENING_BRACKET,
  PERCENT,
  REGISTERED_NAME,
} from '../semantics/syntax.ts'

const HIGHEST_PORT = 65535
const FUTURE_ADDRESS = /^v[0-9a-f]+\.[-._~!$&'()*+,;=:0-9a-z]+$/i

/**
 * Checks `host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2) in `[start, end)` of `bytes`: a
 * registered name, an IPv4 address or an address in brackets, then perhaps a port up to 65535. The
 * host and the port may be empty; user information is refused.
 *
 * @returns where the host ends (at the colon, or at `end`), or -1 when it is malformed
 */
export function authorityHostEnd(bytes: Buffer, start: number, end: number): number {
  let i = start
  if (i < end && bytes[i] === OPENING_BRACKET) {
    while (i < end && bytes[i] !== CLOSING_BRACKET) i++
    if (i === end) return -1
    const address = bytes.toString('latin1', start + 1, i)
    // A zone (`fe80::1%eth0`) has a meaning only on its own machine.
    if (!(isIPv6(address) && !address.includes('%')) && !FUTURE_ADDRESS.test(address)) return -1
    i++
  } else {
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (REGISTERED_NAME[byte] === 1) continue
      if (byte !== PERCENT) break
      if (i + 2 >= end || !HEX_DIGIT_PLUS_ONE[bytes[i + 1]!] || !HEX_DIGIT_PLUS_ONE[bytes[i + 2]!])
        return -1
      i += 2
    }
  }
  const hostEnd = i
  if (i === end) return hostEnd
  if (bytes[i] !== COLON) return -1
  let port = 0
  for (i++; i < end; i++) {
    const byte = bytes[i]!
    if (DIGIT[byte] === 0) return -1
    port = port * 10 + byte - 0x30
    if (port > HIGHEST_PORT) return -1
  }
  return hostEnd
}
