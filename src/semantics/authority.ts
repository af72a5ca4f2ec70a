/** An authority without user information, in its parts. */
export interface Authority {
  /** A name or an address; an IPv6 address keeps its brackets. May be empty. */
  readonly host: string
  /** The digits of the port, or `''` if there is none. */
  readonly port: string
}

/**
 * Splits `host [":" port]` (RFC 3986 §3.2). It only looks for the colon and does not check the
 * host.
 *
 * @returns null if there is a colon that does not separate a host from the digits of a port
 * @example splitAuthority('[::1]:8000') // { host: '[::1]', port: '8000' }
 * @example splitAuthority('localhost') // { host: 'localhost', port: '' }
 */
export function splitAuthority(authority: string): Authority | null {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority)
  return parts === null ? null : { host: parts[1]!, port: parts[2] ?? '' }
}
