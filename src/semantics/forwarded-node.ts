/** A node of RFC 7239 §6. */
export interface ForwardedNode {
  /** An IP address without brackets; `''` for one that is unknown or obfuscated. */
  readonly address: string
  /** `''` where it is not given or obfuscated. */
  readonly port: string
}

/** A node that is not named: unknown, or obfuscated. */
export const NOBODY: ForwardedNode = { address: '', port: '' }

const PORT = /^(?:\d{1,5}|_[A-Za-z0-9._-]+)$/
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/**
 * Reads the value of `for` or `by` (RFC 7239 §6): an IPv4 address, an IPv6 address in brackets,
 * `unknown` or an obfuscated identifier (`_hidden`), with or without a port.
 *
 * @returns null for what is none of these
 * @example parseNode('[2001:db8::1]:4711') // { address: '2001:db8::1', port: '4711' }
 * @example parseNode('_hidden') // { address: '', port: '' }
 */
export function parseNode(value: string): ForwardedNode | null {
  const parts = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]+)(?::(.*))?$/s.exec(value)
  if (parts === null) return null
  const [, name, port] = parts as unknown as [string, string, string | undefined]
  if (port !== undefined && (!PORT.test(port) || Number(port) > 65535)) return null
  const number = port === undefined || port.startsWith('_') ? '' : port
  if (name.startsWith('[')) {
    const address = name.slice(1, -1)
    return isIPv6(address) ? { address, port: number } : null
  }
  if (isIPv4(name)) return { address: name, port: number }
  if (name.toLowerCase() === 'unknown' || /^_[A-Za-z0-9._-]+$/.test(name)) return NOBODY
  return null
}

/** Four decimal numbers without leading zeros, which some read as octal. */
export function isIPv4(text: string): boolean {
  return IPV4.test(text)
}

/** RFC 4291 §2.2, without brackets and without a zone. */
export function isIPv6(text: string): boolean {
  return (
    /^[0-9A-Fa-f:.]{2,45}$/.test(text) && text.includes(':') && URL.canParse(`http://[${text}]`)
  )
}
