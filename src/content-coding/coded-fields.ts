/** A header field: name and value. */
type Field = readonly [name: string, value: string]

/** Fields that describe the bytes as they were before. */
const OUTDATED: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'digest',
  'repr-digest',
])

/** Which responses are compressed. */
export interface CodingRules {
  /** Bodies that are known to have fewer bytes are not. */
  readonly threshold: number
  /** Whether a body with this Content-Type is worth it. */
  readonly types: (contentType: string) => boolean
}

/**
 * Whether to compress a response for a client that accepts a coding: not 204, 206 and 304, not
 * twice, no event streams, and nothing with `Cache-Control: no-transform` (RFC 9110 §7.7, RFC 9111
 * §5.2.2.6).
 */
export function isWorthCoding(
  rules: CodingRules,
  status: number,
  fields: readonly Field[],
): boolean {
  if (status === 204 || status === 206 || status === 304) return false
  let type: string | undefined
  for (const [name, value] of fields) {
    switch (name.toLowerCase()) {
      case 'content-type':
        type = value
        break
      case 'content-encoding':
        if (value.trim().toLowerCase() !== 'identity') return false
        break
      case 'content-range':
        return false
      case 'cache-control':
        if (/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(value)) return false
        break
      case 'content-length':
        if (Number(value) < rules.threshold) return false
    }
  }
  return type !== undefined && !/^\s*text\/event-stream\s*(?:;|$)/i.test(type) && rules.types(type)
}

/**
 * The fields of a response whose body is compressed. A strong ETag becomes weak, because the bytes
 * differ (RFC 9110 §8.8.1).
 */
export function codedFields(fields: readonly Field[], encoding: string): [string, string][] {
  const coded: [string, string][] = []
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    if (OUTDATED.has(lower)) continue
    coded.push([name, lower === 'etag' && !value.startsWith('W/') ? `W/${value}` : value])
  }
  coded.push(['Content-Encoding', encoding])
  return withVary(coded)
}

/**
 * The fields of a 304. It refers to an earlier response, in which a strong ETag of the application
 * was made weak. A cache finds its copy by the tag (RFC 9111 §4.3.4), so the tag is made weak here
 * too. `Vary` is added because that response may have had it.
 *
 * @param condition If-None-Match of the request
 */
export function unchangedFields(fields: readonly Field[], condition: string): [string, string][] {
  const tagged = fields.map(([name, value]): [string, string] => [
    name,
    name.toLowerCase() === 'etag' && condition.includes(`W/${value}`) ? `W/${value}` : value,
  ])
  return withVary(tagged)
}

/** Adds `Vary: Accept-Encoding`, unless it is there already. */
export function withVary(fields: readonly Field[]): [string, string][] {
  const all = fields as readonly [string, string][]
  const varies = all.some(
    ([name, value]) =>
      name.toLowerCase() === 'vary' && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(value),
  )
  return varies ? [...all] : [...all, ['Vary', 'Accept-Encoding']]
}
