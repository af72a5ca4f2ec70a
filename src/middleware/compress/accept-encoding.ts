import Negotiator from 'negotiator'

/**
 * What `@types/negotiator` does not know yet: which of several that are equally welcome is taken.
 */
interface EncodingNegotiator {
  encodings(available: readonly string[], options: { preferred: readonly string[] }): string[]
}

const LONGEST_HEADER = 4096

/**
 * Which of some content codings a client wants, the best first (RFC 9110 §12.5.3). Of those that it
 * likes equally, the one that stands first in `available` is better, and any is better than
 * `identity`.
 *
 * A client that sends no such header wants `identity`: it would have to take anything, but those
 * that can decode say so.
 *
 * @param header Accept-Encoding, as in `environ.HTTP_ACCEPT_ENCODING`
 * @returns some of `available`, and `identity` where it is wanted; empty if nothing is
 * @example acceptedEncodings('gzip;q=0.5, br', ['br', 'gzip']) // ['br', 'gzip', 'identity']
 * @example acceptedEncodings('gzip;q=0.5, identity', ['br', 'gzip']) // ['identity', 'gzip']
 */
export function acceptedEncodings(
  header: string | undefined,
  available: readonly string[],
): string[] {
  // A list of thousands is nobody's wish, and taking it apart costs a microsecond a byte.
  if (header === undefined || header.length > LONGEST_HEADER) return ['identity']
  const negotiator = new Negotiator({
    headers: { 'accept-encoding': header },
  }) as unknown as EncodingNegotiator
  const all = [...available, 'identity']
  return negotiator.encodings(all, { preferred: all })
}
