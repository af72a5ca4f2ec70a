import { describeValue } from '../wsgi/wsgi-error.ts'
import { isList } from './list.ts'
import { encodeMultipart, type MultipartForm } from './multipart.ts'
import { TestClientError } from './test-client-error.ts'

/** Names and values: a record with lists for repeated names, pairs, or `URLSearchParams`. */
export type NameValues =
  | Readonly<Record<string, NameValue | readonly NameValue[]>>
  | readonly (readonly [name: string, value: NameValue])[]
  | URLSearchParams

type NameValue = string | number | boolean

/** A body that is sent piece by piece, as the application reads it. */
export type StreamedBody = AsyncIterable<Uint8Array | string>

/** The body of a request. Set at most one of these. */
export interface ContentOptions {
  /** Bytes, text (sent as UTF-8), or a stream (sent without a Content-Length). */
  body?: Uint8Array | string | StreamedBody
  /** A value to send as `application/json`. */
  json?: unknown
  /** The fields of a form to send as `application/x-www-form-urlencoded`. */
  form?: NameValues
  /** A form with files to send as `multipart/form-data`. */
  multipart?: MultipartForm
}

/** The encoded body of a request. */
export interface RequestContent {
  /** The Content-Type, if the content implies one. */
  type?: string
  /** Null if there is no body. */
  body: Uint8Array | StreamedBody | null
}

const encoder = new TextEncoder()

/** @throws TestClientError (`bad-option`) for more than one body, or for one of a wrong type */
export function encodeContent(options: ContentOptions): RequestContent {
  const given = (['body', 'json', 'form', 'multipart'] as const).filter(
    (name) => options[name] !== undefined,
  )
  if (given.length > 1) {
    throw new TestClientError(
      'bad-option',
      `A request can have only one body; set one of the options ${given.join(', ')}`,
    )
  }
  const { body, json, form, multipart } = options
  if (json !== undefined)
    return { type: 'application/json', body: encoder.encode(encodeJson(json)) }
  if (form !== undefined) {
    return {
      type: 'application/x-www-form-urlencoded',
      body: encoder.encode(encodeNameValues(form)),
    }
  }
  if (multipart !== undefined) {
    const { type, bytes } = encodeMultipart(multipart)
    return { type, body: bytes }
  }
  if (body === undefined) return { body: null }
  if (typeof body === 'string')
    return { type: 'text/plain; charset=utf-8', body: encoder.encode(body) }
  if (body instanceof Uint8Array) return { body }
  if (typeof body === 'object' && body !== null && Symbol.asyncIterator in body) return { body }
  throw new TestClientError(
    'bad-option',
    'body must be a Uint8Array, a string or an async iterable of these, ' +
      `not ${describeValue(body)}; pass an object as json or form`,
  )
}

function encodeJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text !== undefined) return text
  throw new TestClientError('bad-option', `json cannot encode ${describeValue(value)}`)
}

/**
 * Encodes names and values for a query string or a form.
 *
 * @example encodeNameValues({ tag: ['a', 'b'], page: 2 }) // 'tag=a&tag=b&page=2'
 */
export function encodeNameValues(values: NameValues): string {
  if (values instanceof URLSearchParams) return values.toString()
  const params = new URLSearchParams()
  if (isList(values)) {
    for (const [name, value] of values) params.append(name, String(value))
  } else {
    for (const [name, value] of Object.entries(values)) {
      for (const one of isList(value) ? value : [value]) params.append(name, String(one))
    }
  }
  return params.toString()
}
