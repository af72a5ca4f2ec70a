import { optionError } from '../option-error.ts'
import { codings, type Encoding } from './coding.ts'
import { isCompressible } from './compressible.ts'

/** Options of `compress`. */
export interface CompressOptions {
  /**
   * The codings to use; of those that a client likes equally, the first here. Default `['br',
   * 'zstd', 'gzip']`, where `zstd` is left out by a Node that does not have it (before 22.15).
   */
  encodings?: readonly Encoding[]
  /** Bodies of fewer bytes are left as they are, where their length is known. Default 1024. */
  threshold?: number
  /**
   * How hard to try, for each coding: `br` 0–11 (default 4), `zstd` 1–19 (default 3), `gzip` 1–9
   * (default 6).
   */
  level?: Partial<Record<Encoding, number>>
  /**
   * Whether to compress what has this Content-Type. Default: text, JSON, XML, JavaScript,
   * WebAssembly, SVG and the like.
   */
  types?: (contentType: string) => boolean
}

export interface Settings {
  readonly encodings: readonly Encoding[]
  readonly threshold: number
  readonly level: Readonly<Record<Encoding, number>>
  readonly types: (contentType: string) => boolean
}

const DEFAULT_ENCODINGS: readonly Encoding[] = ['br', 'zstd', 'gzip']
export function settle({
  encodings = DEFAULT_ENCODINGS,
  threshold = 1024,
  level = {},
  types,
}: CompressOptions): Settings {
  for (const encoding of encodings) {
    if (!Object.hasOwn(codings, encoding))
      throw optionError(
        TypeError,
        `compress: encodings is made of 'br', 'zstd' and 'gzip', not of ${JSON.stringify(encoding)}`,
      )
    if (codings[encoding] === null && encodings !== DEFAULT_ENCODINGS)
      throw optionError(
        TypeError,
        `compress: encodings zstd needs Node 22.15 or later, and this is ${process.version}: leave it out`,
      )
  }
  if (!Number.isFinite(threshold) || threshold < 0)
    throw optionError(RangeError, `compress: threshold is a number of bytes, not ${threshold}`)
  if (types !== undefined && typeof types !== 'function')
    throw optionError(TypeError, 'compress: types is a function (contentType) => boolean')
  const levels = { br: 0, zstd: 0, gzip: 0 }
  for (const encoding of DEFAULT_ENCODINGS) {
    const coding = codings[encoding]
    if (coding === null) continue
    const [least, most] = coding.levels
    const chosen = level[encoding] ?? coding.level
    if (!Number.isInteger(chosen) || chosen < least || chosen > most)
      throw optionError(
        RangeError,
        `compress: level.${encoding} is a whole number from ${least} to ${most}, not ${chosen}`,
      )
    levels[encoding] = chosen
  }
  return {
    encodings: encodings.filter((encoding) => codings[encoding] !== null),
    threshold,
    level: levels,
    types: types ?? isCompressible,
  }
}
