const BLOCK = 512

/**
 * An archive of files, in the format ustar (POSIX.1-1988).
 *
 * @param files texts by their paths, which are ASCII and at most 100 characters
 * @param time of all files, in seconds
 */
export function tar(files: ReadonlyMap<string, string>, time: number): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = []
  for (const [path, text] of files) {
    const content = new TextEncoder().encode(text)
    blocks.push(header(path, content.length, time), content)
    blocks.push(new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK))
  }
  blocks.push(new Uint8Array(2 * BLOCK))
  const archive = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const block of blocks) {
    archive.set(block, at)
    at += block.length
  }
  return archive
}

function header(path: string, size: number, time: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  if (path.length > 100) throw new RangeError(`${path} is longer than 100 characters`)
  put(0, path)
  put(100, `${octal(0o644, 7)}\0`)
  put(108, `${octal(0, 7)}\0${octal(0, 7)}\0`)
  put(124, `${octal(size, 11)}\0${octal(time, 11)}\0`)
  // The sum is that of a header with spaces in its place.
  put(148, '        0')
  put(257, 'ustar\x0000')
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(148, `${octal(sum, 6)}\0 `)
  return block
}
