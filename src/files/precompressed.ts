import { acceptedEncodings } from '../content-coding/accepted-encodings.ts'
import { EXTENSIONS, type PrecompressedEncoding } from './file-facts.ts'
import type { OpenFile, StaticRoot } from './static-root.ts'

/** The file to send: the requested one, or a compressed version of it. */
export interface Representation {
  readonly file: OpenFile
  readonly encoding: PrecompressedEncoding | null
}

/**
 * Chooses the file to send: the given one, or a compressed file beside it. If it is another file,
 * both are open.
 *
 * @param names of the given file, below the root
 * @param acceptEncoding the value of Accept-Encoding
 */
export async function chooseRepresentation(
  root: StaticRoot,
  file: OpenFile,
  names: readonly string[],
  acceptEncoding: string | undefined,
  codings: readonly PrecompressedEncoding[],
): Promise<Representation> {
  for (const encoding of acceptedEncodings(acceptEncoding, codings)) {
    if (encoding === 'identity') break
    const coding = encoding as PrecompressedEncoding
    const sibling = await openSibling(root, file, names, coding)
    if (sibling !== null) return { file: sibling, encoding: coding }
  }
  // Even if the client refuses `identity`: a readable answer is better for it than 406, and RFC
  // 9110 §12.5.3 allows it.
  return { file, encoding: null }
}

/**
 * Opens the compressed version of a file: `app.js.br` for `app.js`.
 *
 * @returns null if there is none, or if it is older than the file, which was changed and not
 * compressed again
 */
export async function openSibling(
  root: StaticRoot,
  file: OpenFile,
  names: readonly string[],
  coding: PrecompressedEncoding,
): Promise<OpenFile | null> {
  const last = names.at(-1)!
  const sibling = await root.open([...names.slice(0, -1), last + EXTENSIONS[coding]], () => {})
  if (sibling === null || sibling === 'directory') return null
  if (sibling.stat.mtimeNs >= file.stat.mtimeNs) return sibling
  await sibling.handle.close()
  return null
}
