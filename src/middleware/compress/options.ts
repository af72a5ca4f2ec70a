import { CODINGS, type Encoding } from '../../content-coding/coding.ts'
import { isCompressible } from '../../content-coding/compressible.ts'
import { optionError } from '../option-error.ts'

/** Options of `compress`. */
export interface CompressOptions {
  /**
   * The codings to use, in order of preference. Defaults to `['br', 'zstd', 'gzip']`, without
   * `zstd` before Node 22.15.
   */
  encodings?: readonly Encoding[]
  /** Bodies that are known to have fewer bytes are not compressed. Defaults to 1024. */
  threshold?: number
  /**
   * The compression level for each coding: `br` 0–11 (defaults to 4), `zstd` 1–19 (defaults to 3),
   * `gzip` 1–9 (defaults to 6). Higher levels take more time.
   */
  level?: Partial<Record<Encoding, number>>
  /**
   * Whether to compress a body with this Content-Type. Defaults to true for text, JSON, XML,
   * JavaScript, WebAssembly, SVG and similar types.
   */
  types?: (contentType: string) => boolean
}

export interface CompressSettings {
  readonly encodings: readonly Encoding[]
  readonly threshold: number
  readonly level: Readonly<Record<Encoding, number>>
  readonly types: (contentType: string) => boolean
}

const DEFAULT_ENCODINGS: readonly Encoding[] = ['br', 'zstd', 'gzip']
export function checkCompressOptions({
  encodings = DEFAULT_ENCODINGS,
  threshold = 1024,
  level = {},
  types,
}: CompressOptions): CompressSettings {
  for (const encoding of encodings) {
    if (!Object.hasOwn(CODINGS, encoding))
      throw optionError(
        TypeError,
        "compress: encodings must be a list of 'br', 'zstd' and 'gzip', " +
          `without ${JSON.stringify(encoding)}`,
      )
    if (CODINGS[encoding] === null && encodings !== DEFAULT_ENCODINGS)
      throw optionError(
        TypeError,
        'compress: encodings: zstd needs Node 22.15 or later, ' +
          `but this is ${process.version}; leave it out`,
      )
  }
  if (!Number.isFinite(threshold) || threshold < 0)
    throw optionError(
      RangeError,
      `compress: threshold must be a number of bytes, 0 or more, not ${threshold}`,
    )
  if (types !== undefined && typeof types !== 'function')
    throw optionError(TypeError, 'compress: types must be a function (contentType) => boolean')
  const levels = { br: 0, zstd: 0, gzip: 0 }
  for (const encoding of DEFAULT_ENCODINGS) {
    const coding = CODINGS[encoding]
    if (coding === null) continue
    const [least, most] = coding.levels
    const chosen = level[encoding] ?? coding.level
    if (!Number.isInteger(chosen) || chosen < least || chosen > most)
      throw optionError(
        RangeError,
        `compress: level.${encoding} must be a whole number from ${least} to ${most}, ` +
          `not ${chosen}`,
      )
    levels[encoding] = chosen
  }
  return {
    encodings: encodings.filter((encoding) => CODINGS[encoding] !== null),
    threshold,
    level: levels,
    types: types ?? isCompressible,
  }
}
