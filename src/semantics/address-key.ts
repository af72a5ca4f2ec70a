/** A prefix of an IPv6 address: the part that names a network, in groups of 16 bits. */
const PREFIX_GROUPS = 4
const GROUPS = 8

/**
 * What limits for each client count by: an IPv4 address, or the /64 network of an IPv6 address,
 * because whoever has one address of such a network usually has all of them (RFC 6177 §2). An IPv4
 * address in the form of IPv6 (`::ffff:192.0.2.7`, RFC 4291 §2.5.5.2) counts as that IPv4 address.
 *
 * @param address a valid address as text; `''` (a unix socket) stays as it is
 * @example addressKey('2001:db8:0:1::7') // '2001:db8:0:1::/64'
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const zone = address.indexOf('%')
  const groups = groupsOf(zone === -1 ? address : address.slice(0, zone))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    const [high, low] = [groups[6], groups[7]]
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const prefix = groups.slice(0, PREFIX_GROUPS).map((group) => group.toString(16))
  return `${prefix.join(':')}::/64`
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [before = '', after] = address.split('::')
  const first = parts(before)
  if (after === undefined) return first
  const last = parts(after)
  return [...first, ...new Array(Math.max(0, GROUPS - first.length - last.length)).fill(0), ...last]
}

function parts(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}
