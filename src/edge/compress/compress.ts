import { acceptedEncodings } from '../../content-coding/accepted-encodings.ts'
import { CODINGS, type Encoding } from '../../content-coding/coding.ts'
import { isCompressible } from '../../content-coding/compressible.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { EdgeHandler } from '../chain.ts'
import type { CompressContext } from './compress-context.ts'
import { CompressedExchange } from './compressed-exchange.ts'
import { VaryingExchange } from './varying-exchange.ts'

export interface CompressOptions {
  /** Bodies that are known to have fewer bytes are not compressed. */
  readonly threshold: number
  /** The level of each coding; those that are missing have their defaults. */
  readonly levels: Partial<Record<Encoding, number>>
  readonly memory: MemoryBudget
  /** Called if a body cannot be compressed. */
  readonly failed: (text: string) => void
}

/** In order of preference, where a client has none. */
const PREFERRED: readonly Encoding[] = ['br', 'zstd', 'gzip']
/** Clients send few different values, so what was chosen for them is remembered. */
const MOST_REMEMBERED = 128
const LONGEST_REMEMBERED = 256

/**
 * Compresses the responses of the application as the `compress` middleware does, with the same
 * rules: by `Accept-Encoding`, types that are worth it, and nothing that has a coding or must not
 * be changed.
 *
 * A response that is there as a whole is compressed as a whole, and has a length. Each piece of a
 * stream is compressed and sent at once. The work is done by the threads of zlib, and a client that
 * does not read stalls the application as without compression.
 */
export function compress(options: CompressOptions): EdgeHandler {
  const { threshold, levels, memory, failed } = options
  const available = PREFERRED.filter((encoding) => CODINGS[encoding] !== null)
  const context: CompressContext = {
    rules: { threshold, types: isCompressible },
    levels: {
      br: levels.br ?? CODINGS.br!.level,
      gzip: levels.gzip ?? CODINGS.gzip!.level,
      zstd: levels.zstd ?? CODINGS.zstd?.level ?? 0,
    },
    memory,
    failed,
  }
  const choose = rememberedChoice(available)
  return (next) => (head, reply) => {
    const encoding = choose(head.get('accept-encoding'))
    const exchange =
      encoding === null
        ? new VaryingExchange(context, reply)
        : new CompressedExchange(context, encoding, head, reply)
    exchange.sink = next(head, exchange)
    return exchange
  }
}

/** Chooses a coding for a client; null for none. */
function rememberedChoice(
  available: readonly Encoding[],
): (header: string | undefined) => Encoding | null {
  const remembered = new Map<string, Encoding | null>()
  return (header) => {
    if (header === undefined) return null
    const known = remembered.get(header)
    if (known !== undefined) return known
    const best = acceptedEncodings(header, available)[0]
    const chosen = best === undefined || best === 'identity' ? null : (best as Encoding)
    if (remembered.size >= MOST_REMEMBERED) remembered.clear()
    if (header.length <= LONGEST_REMEMBERED) remembered.set(header, chosen)
    return chosen
  }
}
