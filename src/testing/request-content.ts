import { describeValue } from '../wsgi/wsgi-error.ts'
import { isList } from './list.ts'
import { encodeMultipart, type MultipartForm } from './multipart.ts'
import { TestClientError } from './test-client-error.ts'

/**
 * Names and values, as a record (a list where a name has several), as pairs, or as
 * `URLSearchParams`.
 */
export type NameValues =
  | Readonly<Record<string, NameValue | readonly NameValue[]>>
  | readonly (readonly [name: string, value: NameValue])[]
  | URLSearchParams

type NameValue = string | number | boolean

/** A body that is sent as it is made: its pieces are asked for as the application reads. */
export type StreamedBody = AsyncIterable<Uint8Array | string>

/** The ways to say what a request's body is. Give one of them at most. */
export interface ContentOptions {
  /** Bytes, text (sent as UTF-8), or a stream, which has no Content-Length. */
  body?: Uint8Array | string | StreamedBody
  /** Anything that JSON can hold; sent as `application/json`. */
  json?: unknown
  /** A form's fields; sent as `application/x-www-form-urlencoded`. */
  form?: NameValues
  /** A form with files; sent as `multipart/form-data`. */
  multipart?: MultipartForm
}

/** A request's body, encoded. */
export interface RequestContent {
  /** Its Content-Type, if what it was made from has one. */
  type?: string
  /** null: there is none. */
  body: Uint8Array | StreamedBody | null
}

const encoder = new TextEncoder()

/** @throws TestClientError `bad-option` where there is more than one, or one of a wrong kind */
export function encodeContent(options: ContentOptions): RequestContent {
  const given = (['body', 'json', 'form', 'multipart'] as const).filter(
    (name) => options[name] !== undefined,
  )
  if (given.length > 1) {
    throw new TestClientError(
      'bad-option',
      `A request has one body: give only one of the options ${given.join(', ')}`,
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
    `body must be a Uint8Array, a string or an async iterable of them, not ${describeValue(body)}; an object may go into json or form`,
  )
}

function encodeJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text !== undefined) return text
  throw new TestClientError('bad-option', `json cannot hold ${describeValue(value)}`)
}

/**
 * Names and values as a query string or form has them.
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
