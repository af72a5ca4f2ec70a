import Negotiator from 'negotiator'

/** The option `preferred`, which `@types/negotiator` lacks: the order of equally good codings. */
interface EncodingNegotiator {
  encodings(available: readonly string[], options: { preferred: readonly string[] }): string[]
}

const LONGEST_HEADER = 4096

/**
 * The content codings that a client accepts, the best first (RFC 9110 §12.5.3). Codings of equal
 * quality are in the order of `available`, and all of them come before `identity`.
 *
 * Without the header the result is `identity`. By the standard such a client accepts any coding,
 * but clients that can decode one send the header.
 *
 * @param header Accept-Encoding, as in `environ.HTTP_ACCEPT_ENCODING`
 * @returns some of `available`, and `identity` if it is acceptable; empty if nothing is
 * @example acceptedEncodings('gzip;q=0.5, br', ['br', 'gzip']) // ['br', 'gzip', 'identity']
 * @example acceptedEncodings('gzip;q=0.5, identity', ['br', 'gzip']) // ['identity', 'gzip']
 */
export function acceptedEncodings(
  header: string | undefined,
  available: readonly string[],
): string[] {
  // No real client sends a list of thousands, and parsing one costs a microsecond for each byte.
  if (header === undefined || header.length > LONGEST_HEADER) return ['identity']
  const negotiator = new Negotiator({
    headers: { 'accept-encoding': header },
  }) as unknown as EncodingNegotiator
  const all = [...available, 'identity']
  return negotiator.encodings(all, { preferred: all })
}
