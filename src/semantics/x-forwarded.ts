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
  let end = header.length
  let left = fromRight
  while (end >= 0) {
    const comma = end === 0 ? -1 : header.lastIndexOf(',', end - 1)
    const value = trimBlanks(header.slice(comma + 1, end))
    if (value !== '' && --left === 0) return unquote(value)
    end = comma
  }
  return undefined
}

/** Without the optional white space around it (RFC 9110 §5.6.3). */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value
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
