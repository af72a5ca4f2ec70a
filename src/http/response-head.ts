import { FIELD_VALUE, TCHAR } from './syntax.ts'

/**
 * The head of a response as an application gave it, checked, with what the connection must know to frame the message.
 * `Date`, `Server`, `Connection` and `Transfer-Encoding` are the connection's to add.
 */
export interface ResponseHead {
  /** Status code, 200 to 999: an application sends final responses only. */
  readonly status: number
  /** `200 OK\r\nName: value\r\n…` in latin-1, every line ended, no empty line at the end. */
  readonly text: string
  /** The declared Content-Length in bytes, or -1. */
  readonly contentLength: number
  readonly hasDate: boolean
  readonly hasServer: boolean
}

/** A response head that must not reach a client. `message` says which rule it breaks. */
export class ResponseHeadError extends Error {
  readonly code = 'bad-response-head'
}

const CR = 13
const LF = 10
const COLON = 58
const SPACE = 32

/** Fields that are about one connection, which is never the application's (PEP 3333 "Other HTTP Features"; RFC 9110 §7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
])

/**
 * Checks bytes [start, end) of `bytes` as a response head: a status line without its version, then field lines.
 * The worker has checked each header already; this second look costs about a nanosecond a byte and is what
 * "a response header with CR, LF or NUL never reaches a client" rests on, whatever a worker does.
 *
 * @throws ResponseHeadError
 */
export function parseResponseHead(bytes: Buffer, start: number, end: number): ResponseHead {
  let at = start
  let status = 0
  for (let i = 0; i < 3; i++, at++) {
    const digit = bytes[at] - 48
    if (!(digit >= 0 && digit <= 9))
      throw new ResponseHeadError('the status does not begin with three digits')
    status = status * 10 + digit
  }
  if (status < 200 || bytes[at] !== SPACE)
    throw new ResponseHeadError(`the status ${status} is not that of a final response`)
  at = endOfLine(bytes, at, end)
  let contentLength = -1
  let hasDate = false
  let hasServer = false
  while (at < end) {
    const nameStart = at
    while (at < end && TCHAR[bytes[at]] === 1) at++
    const nameEnd = at
    if (nameEnd === nameStart || bytes[at] !== COLON)
      throw new ResponseHeadError('a header name is not a token')
    const valueStart = at + 1
    at = endOfLine(bytes, valueStart, end)
    // Only names of these lengths matter here; the others cost no string.
    switch (nameEnd - nameStart) {
      case 2:
      case 4:
      case 6:
      case 7:
      case 8:
      case 10:
      case 14:
      case 17:
      case 18:
      case 19: {
        const name = bytes.toString('latin1', nameStart, nameEnd).toLowerCase()
        if (name === 'date') hasDate = true
        else if (name === 'server') hasServer = true
        else if (name === 'content-length') {
          if (contentLength !== -1) throw new ResponseHeadError('Content-Length is given twice')
          contentLength = parseLength(bytes.toString('latin1', valueStart, at - 2))
        } else if (HOP_BY_HOP.has(name)) {
          throw new ResponseHeadError(`${name} is about the connection, which is the server's`)
        }
      }
    }
  }
  return { status, text: bytes.toString('latin1', start, end), contentLength, hasDate, hasServer }
}

/** From somewhere in a line to behind its CRLF; refuses control characters on the way. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && FIELD_VALUE[bytes[at]] === 1) at++
  if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
    throw new ResponseHeadError(
      at < end
        ? `it has the control character 0x${bytes[at].toString(16).padStart(2, '0')}`
        : 'it ends within a line',
    )
  }
  return at + 2
}

function parseLength(value: string): number {
  const digits = value.trim()
  const length = Number(digits)
  if (!/^[0-9]+$/.test(digits) || !Number.isSafeInteger(length)) {
    throw new ResponseHeadError(`the Content-Length ${JSON.stringify(digits)} is not a number of bytes`)
  }
  return length
}
