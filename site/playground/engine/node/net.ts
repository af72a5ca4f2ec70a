/** `node:net` in a page: only what an address is. */

export function isIPv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256)
}

export function isIPv6(text: string): boolean {
  try {
    return text.includes(':') && new URL(`http://[${text}]/`).hostname !== ''
  } catch {
    return false
  }
}

export function isIP(text: string): 0 | 4 | 6 {
  return isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0
}
