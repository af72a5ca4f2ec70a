import type { OutgoingHttpHeaders } from 'node:http2'
import { isBodiless } from '../../semantics/bodiless.ts'
import { httpDate } from '../date.ts'
import type { Field, ResponseHead } from '../response-head.ts'

/**
 * Names of which `node:http2` takes only one field: it throws if there are two, also in a response
 * where names of requests have no meaning. Several lines of a list are one list (RFC 9110 §5.3).
 */
const LISTS_OF_ONE_FIELD = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
])
/**
 * It is about a connection of HTTP/1.1 (RFC 7540 §3.2.1), and Node.js throws. Other such fields are
 * refused from applications before.
 */
const NOT_SENT = 'http2-settings'
/** The highest status that HTTP has; others are as good as a 500 (RFC 9110 §15). */
const HIGHEST_STATUS = 599

/**
 * Whether a response with this status has no content over HTTP/2: also 205, whose stream Node.js
 * ends with its head (RFC 9110 §15.3.6).
 */
export function isWithoutContent(status: number): boolean {
  return status === 205 || isBodiless(status)
}

/** What HTTP/2 keeps of a response head, for the next response with the same one. */
export class RenderedFields {
  readonly #fields: OutgoingHttpHeaders
  readonly #declared: string | undefined
  readonly #dated: boolean

  constructor(head: ResponseHead, serverName: string) {
    const fields: OutgoingHttpHeaders = Object.create(null)
    fields[':status'] = head.status > HIGHEST_STATUS ? 500 : head.status
    addFields(fields, head.fields)
    // RFC 9110 §8.6: no Content-Length in a 204. That of a 205 has no content either (§15.3.6).
    if (head.status === 204) delete fields['content-length']
    else if (head.status === 205) fields['content-length'] = '0'
    this.#declared = fields['content-length'] as string | undefined
    if (!head.hasServer && serverName !== '') fields.server = serverName
    this.#dated = head.hasDate
    this.#fields = fields
  }

  /** Those of `head`, which are made if they do not exist. */
  static of(head: ResponseHead, serverName: string): RenderedFields {
    const known = head.rendered
    if (known instanceof RenderedFields) return known
    const rendered = new RenderedFields(head, serverName)
    head.rendered = rendered
    return rendered
  }

  /**
   * The fields for one response. The object is changed by the next call.
   *
   * @param length the length of a body that the head does not declare; -1 to declare none
   */
  fields(length: number): OutgoingHttpHeaders {
    const fields = this.#fields
    if (!this.#dated) fields.date = httpDate()
    fields['content-length'] = length === -1 ? this.#declared : String(length)
    return fields
  }
}

/** The fields of an interim response. */
export function interimFields(status: number, fields: readonly Field[]): OutgoingHttpHeaders {
  const made: OutgoingHttpHeaders = Object.create(null)
  made[':status'] = status
  addFields(made, fields)
  return made
}

function addFields(to: OutgoingHttpHeaders, fields: readonly Field[]): void {
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    if (lower === NOT_SENT) continue
    const known = to[lower]
    if (known === undefined) to[lower] = value
    else if (LISTS_OF_ONE_FIELD.has(lower)) to[lower] = `${known}, ${value}`
    else if (Array.isArray(known)) known.push(value)
    else to[lower] = [String(known), value]
  }
}
