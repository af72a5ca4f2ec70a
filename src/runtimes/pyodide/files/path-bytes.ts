/** A path for node:fs: bytes if it is not valid UTF-8. */
export type HostPath = string | Buffer

/**
 * In strings, a byte that is not UTF-8 is a single surrogate, as in Python ("surrogateescape"):
 * 0x80 is U+DC80.
 */
const ESCAPED = /[\uDC80-\uDCFF]/u

/**
 * Node 20 has this method; the type library for ES2023 does not. It is much cheaper than a regular
 * expression.
 */
interface WellFormedness {
  isWellFormed(): boolean
}

/** An interpreter's path, or a part of one, as node:fs takes it. */
export function toHost(path: string): HostPath {
  if ((path as unknown as WellFormedness).isWellFormed()) return path
  return Buffer.concat(
    path
      .split(/([\uDC80-\uDCFF])/u)
      .map((part) =>
        ESCAPED.test(part) ? Buffer.from([part.charCodeAt(0) & 0xff]) : Buffer.from(part),
      ),
  )
}

/** The bytes of a path as the interpreter's string. */
export function fromHost(bytes: Buffer): string {
  const text = bytes.toString()
  if (!text.includes('\uFFFD')) return text
  let decoded = ''
  for (let at = 0; at < bytes.length; ) {
    // The length of the valid character at this position, or undefined.
    const length = [1, 2, 3, 4].find((count) => {
      const part = bytes.subarray(at, at + count)
      const character = part.toString()
      return [...character].length === 1 && Buffer.from(character).equals(part)
    })
    if (length === undefined) decoded += String.fromCharCode(0xdc00 + (bytes[at] as number))
    else decoded += bytes.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return decoded
}

/** `folder/name`. */
export function joined(folder: HostPath, name: Buffer): HostPath {
  const text = name.toString()
  if (typeof folder === 'string' && !text.includes('\uFFFD')) return `${folder}/${text}`
  return Buffer.concat([Buffer.from(folder as string), Buffer.from('/'), name])
}
