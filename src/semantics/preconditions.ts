import fresh from 'fresh'

/** The validators of a resource, which change when it changes (RFC 9110 §8.8). */
export interface Validators {
  /** With its quotation marks: `"abc"`, `W/"abc"`. */
  etag?: string | undefined
  /** An HTTP date. */
  lastModified?: string | undefined
}

/** The values of the fields of a request that make it conditional (RFC 9110 §13.1). */
export interface ConditionalFields {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: string | undefined
  readonly ifUnmodifiedSince: string | undefined
  readonly cacheControl: string | undefined
}

/** `proceed`: answer as usual; `not-modified`: answer 304; `failed`: answer 412. */
export type PreconditionResult = 'proceed' | 'not-modified' | 'failed'

/** The entity tags of a list: `"a", W/"b"`. */
const ENTITY_TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/**
 * Evaluates the conditions of a GET or HEAD in the order of RFC 9110 §13.2.2: If-Match or else
 * If-Unmodified-Since, then If-None-Match or else If-Modified-Since. `Cache-Control: no-cache`,
 * which browsers send to reload a page, overrides the last two.
 *
 * @example
 * evaluatePreconditions({ …, ifNoneMatch: '"a", "b"' }, { etag: 'W/"a"' })
 * // 'not-modified'
 */
export function evaluatePreconditions(
  fields: ConditionalFields,
  validators: Validators,
): PreconditionResult {
  const { etag, lastModified } = validators
  const match = fields.ifMatch
  if (match !== undefined) {
    if (!matchesStrongly(match, etag)) return 'failed'
  } else if (fields.ifUnmodifiedSince !== undefined && lastModified !== undefined) {
    if (Date.parse(lastModified) > Date.parse(fields.ifUnmodifiedSince)) return 'failed'
  }
  const unchanged = fresh(
    {
      'if-none-match': fields.ifNoneMatch?.trim(),
      'if-modified-since': fields.ifModifiedSince,
      'cache-control': fields.cacheControl?.toLowerCase(),
    },
    { etag, 'last-modified': lastModified },
  )
  return unchanged ? 'not-modified' : 'proceed'
}

/** Whether a tag of If-Match equals the given one, and both are strong (RFC 9110 §8.8.3.2). */
function matchesStrongly(header: string, etag: string | undefined): boolean {
  if (header.trim() === '*') return true
  if (etag === undefined || etag.startsWith('W/')) return false
  return header.match(ENTITY_TAG)?.includes(etag) ?? false
}

/**
 * Whether a Range header applies: there is no If-Range, or the resource has not changed since (RFC
 * 9110 §13.1.5). A date matches only if the entity tag is strong, because a file that was just
 * written may be written again in the same second.
 */
export function rangeApplies(ifRange: string | undefined, validators: Validators): boolean {
  const condition = ifRange?.trim()
  if (condition === undefined) return true
  const { etag, lastModified } = validators
  if (etag?.startsWith('W/') === true) return false
  if (condition.startsWith('"')) return condition === etag
  return lastModified !== undefined && condition === lastModified
}
