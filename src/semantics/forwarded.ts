import { type CommaBefore, ListFromRight } from './list-from-right.ts'

/**
 * What one proxy has added to `Forwarded`: parameters by name, in lower case, with their quotes
 * taken off.
 */
export type ForwardedElement = ReadonlyMap<string, string>

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
  const list = new ListFromRight(header, commaOutsideQuotes)
  let element: ForwardedElement | null = null
  for (let left = fromRight; left > 0; left--) {
    if (!list.next()) return null
    element = parseElement(list.element)
    if (element === null) return null
  }
  return element
}

/** Where the last comma before `end` is that stands outside quotes; -1 when there is none. */
export const commaOutsideQuotes: CommaBefore = (header, end) => {
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

/**
 * Reads one element of the list, without white space around it.
 *
 * @returns null if it is malformed
 */
export function parseElement(text: string): ForwardedElement | null {
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
