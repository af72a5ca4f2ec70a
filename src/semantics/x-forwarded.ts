import { type ForwardedNode, isIPv4, isIPv6, NOBODY, parseNode } from './forwarded-node.ts'
import { ListFromRight, lastComma } from './list-from-right.ts'

/**
 * A value of a list header, counted from the right: 1 is the last. Empty ones do not count (RFC
 * 9110 §5.6.1); quotes around a whole value are taken off.
 *
 * Only commas separate, also between quotes. No value of these headers has any, and if quotes could
 * hide commas, a client that sends one quote could hide its proxy's values behind it.
 *
 * @returns undefined where there are fewer, or for a count of 0
 * @example listedValue('6.6.6.6, 192.0.2.1', 1) // '192.0.2.1'
 */
export function listedValue(header: string | undefined, fromRight: number): string | undefined {
  if (header === undefined || fromRight === 0) return undefined
  const list = new ListFromRight(header, lastComma)
  for (let left = fromRight; left > 0; left--) if (!list.next()) return undefined
  return unquote(list.element)
}

/** Without the quotes around the whole value, if there are any. */
export function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value
}

/**
 * Reads an element of `X-Forwarded-For`: an address, as proxies write it. They add a port or not,
 * and put an IPv6 address in brackets or not; some write `unknown`, or a name of their own that
 * begins with an underscore, as in RFC 7239.
 *
 * @returns null for what is none of these
 * @example parseForwardedFor('2001:db8::1') // { address: '2001:db8::1', port: '' }
 * @example parseForwardedFor('192.0.2.1:4711') // { address: '192.0.2.1', port: '4711' }
 */
export function parseForwardedFor(value: string): ForwardedNode | null {
  const text = unquote(value)
  if (isIPv4(text) || isIPv6(text)) return { address: text, port: '' }
  // Proxies write it in place of an address that they do not have.
  if (text === '-') return NOBODY
  return parseNode(text)
}

// What the values must look like. What does not is not taken: it is nothing that a proxy has said.

/**
 * An address as proxies write it, with or without brackets and port, or a name they give in its
 * place.
 */
export function isRemoteName(value: string | undefined): value is string {
  return value !== undefined && /^[A-Za-z0-9._:[\]%-]{1,255}$/.test(value)
}

/** RFC 3986 §3.1. */
export function isScheme(value: string | undefined): value is string {
  return value !== undefined && /^[A-Za-z][A-Za-z0-9+.-]{0,31}$/.test(value)
}

/** A host name or an address, perhaps with a port (RFC 9110 §7.2). */
export function isAuthority(value: string | undefined): value is string {
  const parts = /^(?:[A-Za-z0-9._-]{1,255}|(\[[0-9A-Fa-f:.]{2,45}\]))(?::(\d{1,5}))?$/.exec(
    value ?? '',
  )
  if (parts === null) return false
  if (parts[1] !== undefined && !URL.canParse(`http://${parts[1]}`)) return false
  return parts[2] === undefined || isPort(parts[2])
}

export function isPort(value: string | undefined): value is string {
  return value !== undefined && /^\d{1,5}$/.test(value) && Number(value) <= 65535
}

/**
 * A path from the root. Not one that begins with two slashes: links made with it would lead to
 * another host (RFC 3986 §4.2).
 */
export function isPrefix(value: string | undefined): value is string {
  return value !== undefined && /^\/(?!\/)[^\s"\\?#]*$/.test(value)
}
