/** What happens to a field whose name has an underscore; see {@link HeadLimits.headerMap}. */
export type HeaderMap = 'drop' | 'refuse' | 'dangerous'

/**
 * The limits on a request's head, by the settings `limit_request_line`, `limit_request_fields`,
 * `limit_request_field_size` and `header_map`, with Gunicorn's meanings, and `limit_request_head`.
 * A 0 means "no limit of your own": the ceiling below then applies.
 *
 * Bytes are counted as HTTP/1.1 writes a head (`http/h1/` has the details). A version that
 * compresses heads counts what they would be there.
 */
export interface HeadLimits {
  /**
   * The most bytes of a request line: method, target and version. A longer one is answered with
   * 414.
   */
  readonly requestLine: number
  /**
   * The most fields of a head, or of a trailer section; dropped ones count. One more is
   * answered with 431.
   */
  readonly fields: number
  /**
   * The most bytes of a field: name, value, and what stands between them and at the end of its
   * line. A longer one is answered with 431.
   */
  readonly fieldSize: number
  /**
   * The most bytes of a whole head, in the form that the limits above count. A trailer section is
   * held to the same. It holds whatever the limits above are, and bounds what a connection keeps in
   * memory. A larger head is answered with 431, or with 414 when the request line alone is larger.
   */
  readonly head: number
  /**
   * CGI maps `X_Real_Ip` and `X-Real-Ip` to one key, so that one could be taken for the other.
   * `drop` leaves fields with an underscore in their name out (they are checked and counted like
   * others), `refuse` answers 400, `dangerous` keeps them.
   */
  readonly headerMap: HeaderMap
}

/** Gunicorn's defaults, and 64 KiB for the head. */
export const DEFAULT_HEAD_LIMITS: HeadLimits = {
  requestLine: 4094,
  fields: 100,
  fieldSize: 8190,
  head: 64 * 1024,
  headerMap: 'drop',
}

/** What 0 means for `requestLine`, and the most it can be: 1 MiB. */
export const REQUEST_LINE_CEILING = 1024 * 1024

/** What 0 means for `fields`, and the most it can be, as in Gunicorn. */
export const FIELDS_CEILING = 32768

/** What 0 means for `fieldSize`, and the most it can be: 1 MiB. */
export const FIELD_SIZE_CEILING = 1024 * 1024

/** What 0 means for `head`, and the most it can be: 1 MiB. */
export const HEAD_CEILING = 1024 * 1024

/** The limits as the parsers apply them: zeros and too large values replaced by the ceilings. */
export function effectiveLimits(limits: HeadLimits): HeadLimits {
  return {
    requestLine: bounded(limits.requestLine, REQUEST_LINE_CEILING),
    fields: bounded(limits.fields, FIELDS_CEILING),
    fieldSize: bounded(limits.fieldSize, FIELD_SIZE_CEILING),
    head: bounded(limits.head, HEAD_CEILING),
    headerMap: limits.headerMap,
  }
}

/**
 * What a refusal says about the limit that was exceeded: the limit, and which setting has to be
 * raised.
 *
 * @param limit an effective one, in the units of `unit`
 * @example
 * limitText(4094, 'bytes', 'limit_request_line', REQUEST_LINE_CEILING)
 * // '4094 bytes (limit_request_line)'
 */
export function limitText(limit: number, unit: string, setting: string, ceiling: number): string {
  return `${limit} ${unit} (${limit < ceiling ? setting : 'the most that is ever accepted'})`
}

function bounded(limit: number, ceiling: number): number {
  return limit > 0 && limit <= ceiling ? limit : ceiling
}
