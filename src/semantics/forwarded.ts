import { trimBlanks } from './x-forwarded.ts'

/**
 * What one proxy has added to `Forwarded`: parameters by name, in lower case, with their quotes
 * taken off.
 */
export type ForwardedElement = ReadonlyMap<string, string>

/** A node of RFC 7239 §6. */
export interface ForwardedNode {
  /** An IP address without brackets; `''` for one that is unknown or obfuscated. */
  readonly address: string
  /** `''` where it is not given or obfuscated. */
  readonly port: string
}

const COMMA = 0x2c
const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * One pair (RFC 7239 §4), from where the last has ended: `token = token` or `token =
 * quoted-string`.
 */
const PAIR =
  /(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*)")[ \t]*)?(?:(;)[ \t]*|$)/y

/**
 * An element of a `Forwarded` header (RFC 7239 §4), counted from the right: 1 is the last. Empty
 * ones do not count.
 *
 * It is read from the right, and nothing to the left of the element is looked at: that may be the
 * client's, and whatever a client writes, an open quote included, must not change how the values of
 * the proxies are read. Of a well-formed header both directions give the same.
 *
 * @returns null where there are fewer, where the element or one to its right is malformed, or for a
 * count of 0
 * @example
 * forwardedElement('for=6.6.6.6, for="[2001:db8::1]:4711";proto=https', 1)?.get('for')
 * // '[2001:db8::1]:4711'
 */
export function forwardedElement(
  header: string | undefined,
  fromRight: number,
): ForwardedElement | null {
  if (header === undefined || fromRight === 0) return null
  let end = header.length
  let left = fromRight
  while (end >= 0) {
    const comma = commaBefore(header, end)
    const text = trimBlanks(header.slice(comma + 1, end))
    if (text !== '') {
      const element = parseElement(text)
      if (element === null) return null
      if (--left === 0) return element
    }
    end = comma
  }
  return null
}

/** Where the last comma before `end` is that stands outside quotes; -1 when there is none. */
function commaBefore(header: string, end: number): number {
  let quoted = false
  for (let i = end - 1; i >= 0; i--) {
    const code = header.charCodeAt(i)
    if (code === QUOTE) {
      // Inside a quoted string every quote is escaped, so going left the first that is not opens
      // it.
      if (!quoted) quoted = true
      else {
        let before = i
        while (before > 0 && header.charCodeAt(before - 1) === BACKSLASH) before--
        if ((i - before) % 2 === 0) quoted = false
        i = before
      }
    } else if (code === COMMA && !quoted) {
      return i
    }
  }
  return -1
}

function parseElement(text: string): ForwardedElement | null {
  const element = new Map<string, string>()
  PAIR.lastIndex = 0
  for (;;) {
    const pair = PAIR.exec(text)
    if (pair === null) return null
    const [, name, token, quoted, separator] = pair
    if (name !== undefined) {
      const key = name.toLowerCase()
      // "Each parameter MUST NOT occur more than once per field-value" (§4).
      if (element.has(key)) return null
      element.set(key, token ?? quoted!.replace(/\\(.)/gs, '$1'))
    }
    if (separator === undefined) return element
  }
}

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
    return URL.canParse(`http://${name}`) ? { address: name.slice(1, -1), port: number } : null
  }
  if (IPV4.test(name)) return { address: name, port: number }
  if (name.toLowerCase() === 'unknown' || /^_[A-Za-z0-9._-]+$/.test(name))
    return { address: '', port: '' }
  return null
}
