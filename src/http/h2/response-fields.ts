import type { OutgoingHttpHeaders } from 'node:http2'
import { httpDate } from '../date.ts'
import type { Field, ResponseHead } from '../response-head.ts'

/**
 * Names of which `node:http2` takes only one field. Several lines of a list are one list (RFC 9110
 * §5.3).
 */
const LISTS_OF_ONE_FIELD = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'age',
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
  'last-modified',
  'location',
  'retry-after',
  'tk',
  'x-content-type-options',
])

/** What HTTP/2 keeps of a response head, for the next response with the same one. */
export class RenderedFields {
  readonly #fields: OutgoingHttpHeaders
  readonly #declared: string | undefined
  readonly #dated: boolean

  constructor(head: ResponseHead, serverName: string) {
    const fields: OutgoingHttpHeaders = Object.create(null)
    fields[':status'] = head.status
    addFields(fields, head.fields)
    // RFC 9110 §8.6: no Content-Length in a 204.
    if (head.status === 204) delete fields['content-length']
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
    const known = to[lower]
    if (known === undefined) to[lower] = value
    else if (LISTS_OF_ONE_FIELD.has(lower)) to[lower] = `${known}, ${value}`
    else if (Array.isArray(known)) known.push(value)
    else to[lower] = [String(known), value]
  }
}
