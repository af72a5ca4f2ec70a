import type { FieldName } from './field-names.ts'

/** What happens to a field whose name has an underscore; see {@link HeadLimits.headerMap}. */
export type HeaderMap = 'drop' | 'refuse' | 'dangerous'

/**
 * The limits on a request's head, by the settings `limit_request_line`, `limit_request_fields`,
 * `limit_request_field_size` and `header_map`, with Gunicorn's meanings, and `limit_request_head`.
 * 0 stands for the highest possible value: the ceiling below.
 *
 * Bytes are counted as HTTP/1.1 writes a head (`http/h1/` has the details). A version that
 * compresses heads counts their size in that form.
 */
export interface HeadLimits {
  /**
   * The maximum length of a request line (method, target and version), in bytes. A longer one is
   * answered with 414.
   */
  readonly requestLine: number
  /**
   * The maximum number of fields in a head or a trailer section, dropped ones included. More are
   * answered with 431.
   */
  readonly fields: number
  /**
   * The maximum length of a field line, in bytes: name, value, and everything between them and at
   * the end of the line. A longer one is answered with 431.
   */
  readonly fieldSize: number
  /**
   * The maximum size of a whole head, in bytes, counted like the limits above; also of a trailer
   * section. It applies regardless of the limits above, and bounds the memory of a connection. A
   * larger head is answered with 431, or with 414 if the request line alone is larger.
   */
  readonly head: number
  /**
   * CGI maps `X_Real_Ip` and `X-Real-Ip` to one key, so that one can be mistaken for the other.
   * `drop` omits fields whose name has an underscore (they are still checked and counted),
   * `refuse` answers 400, `dangerous` keeps them.
   */
  readonly headerMap: HeaderMap
  /**
   * Names with underscores, in lower case, that stay whatever `headerMap` is, or `*` for all: those
   * who handle the request decide about them (`edge/trust/`).
   */
  readonly forwarderHeaders?: ReadonlySet<string>
}

const NO_NAMES: ReadonlySet<string> = new Set()

/** Whether a name with an underscore stays, although {@link HeadLimits.headerMap} drops others. */
export function isForwarderHeader({ id, lower }: FieldName, limits: HeadLimits): boolean {
  const names = limits.forwarderHeaders
  if (names === undefined || id >= 0) return false
  return names.has(lower) || names.has('*')
}

/** Gunicorn's defaults, and 64 KiB for the head. */
export const DEFAULT_HEAD_LIMITS: HeadLimits = {
  requestLine: 4094,
  fields: 100,
  fieldSize: 8190,
  head: 64 * 1024,
  headerMap: 'drop',
}

/** The maximum of `requestLine`, which 0 stands for: 1 MiB. */
export const REQUEST_LINE_CEILING = 1024 * 1024

/** The maximum of `fields`, which 0 stands for, as in Gunicorn. */
export const FIELDS_CEILING = 32768

/** The maximum of `fieldSize`, which 0 stands for: 1 MiB. */
export const FIELD_SIZE_CEILING = 1024 * 1024

/** The maximum of `head`, which 0 stands for: 1 MiB. */
export const HEAD_CEILING = 1024 * 1024

/**
 * The limits as the parsers apply them: zeros and values that are too large are replaced by the
 * ceilings.
 */
export function effectiveLimits(limits: HeadLimits): Required<HeadLimits> {
  return {
    requestLine: bounded(limits.requestLine, REQUEST_LINE_CEILING),
    fields: bounded(limits.fields, FIELDS_CEILING),
    fieldSize: bounded(limits.fieldSize, FIELD_SIZE_CEILING),
    head: bounded(limits.head, HEAD_CEILING),
    headerMap: limits.headerMap,
    forwarderHeaders: limits.forwarderHeaders ?? NO_NAMES,
  }
}

/**
 * The limit that was exceeded, for the message of a refusal, with the setting to raise.
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
