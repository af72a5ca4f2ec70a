import { STATUS_CODES } from 'node:http'

/** A header field as an application knows it: characters up to 0xff, one a byte. */
export type Field = readonly [name: string, value: string]

/**
 * The head of a response, in any version of HTTP: checked, with what the protocol must know to
 * frame the message. The protocol adds `Date` and `Server`, if the head has none, and whatever is
 * about the connection.
 */
export interface ResponseHead {
  /** Status code, 200 to 999: an application sends final responses only. */
  readonly status: number
  /** The reason phrase, which may be empty: `OK`. Some versions do not send it. */
  readonly reason: string
  /** The fields in their order. */
  readonly fields: readonly Field[]
  /** The declared Content-Length in bytes, or -1. */
  readonly contentLength: number
  readonly hasDate: boolean
  readonly hasServer: boolean
  /**
   * Where a protocol keeps what it made of this head, for the next response with the same one. It
   * must check that the object is its own: another protocol may have left it here.
   */
  rendered: object | null
}

/**
 * Makes a head. Nothing is checked: the caller must have checked fields of an application.
 *
 * @param reason defaults to the usual phrase for the status
 * @example responseHead(204, [['Cache-Control', 'no-store']])
 */
export function responseHead(
  status: number,
  fields: readonly Field[],
  contentLength = -1,
  reason = STATUS_CODES[status] ?? 'Error',
): ResponseHead {
  let hasDate = false
  let hasServer = false
  for (const [name] of fields) {
    if (name.length === 4 && name.toLowerCase() === 'date') hasDate = true
    else if (name.length === 6 && name.toLowerCase() === 'server') hasServer = true
  }
  return { status, reason, fields, contentLength, hasDate, hasServer, rendered: null }
}

/** The value of the first field named `lowerName` (in lower case), or `undefined`. */
export function responseField(head: ResponseHead, lowerName: string): string | undefined {
  const { length } = lowerName
  return head.fields.find(
    ([name]) => name.length === length && name.toLowerCase() === lowerName,
  )?.[1]
}
