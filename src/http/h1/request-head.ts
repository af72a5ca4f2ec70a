import type { RequestTimes } from '../../observe/request-times.ts'
import type { RequestTrace } from '../../observe/request-trace.ts'
import type { FieldName } from '../field-names.ts'
import { IndexedHead } from '../indexed-head.ts'
import type { Peer } from '../peer.ts'
import type { RequestHead, TargetForm } from '../request-head.ts'

const NOTHING = Buffer.alloc(0)

/**
 * The head of an HTTP/1.x request, as the parser reads it. A head that the parser refused half-way
 * is valid as far as it was read (unread parts are empty), so that the refusal can be logged with
 * the request line.
 */
export class H1RequestHead extends IndexedHead implements RequestHead {
  bytes: Buffer = NOTHING
  method = ''
  /** HTTP/1.0 or HTTP/1.1. Any later HTTP/1.x is served as HTTP/1.1 (RFC 9110 §2.5). */
  minorVersion: 0 | 1 = 1
  targetForm: TargetForm = 'origin'
  targetStart = 0
  targetEnd = 0
  pathStart = 0
  pathEnd = 0
  queryStart = 0
  queryEnd = 0
  hasQuery = false
  /** Those of an absolute- or authority-form target. */
  authorityStart = 0
  authorityEnd = 0
  fieldCount = 0
  readonly fields: number[] = []
  readonly names: FieldName[] = []
  host = -1
  secure = false
  client: Peer | null = null
  scriptName: string | null = null
  trace: RequestTrace | null = null
  times: RequestTimes | null = null
  contentLength = -1
  /** The body is chunked. Without this and a Content-Length there is no body (RFC 9112 §6.3). */
  chunked = false
  expectContinue = false
  /** The connection may be used for another request after this one (RFC 9112 §9.3). */
  keepAlive = true
  /** Another protocol was offered with Upgrade and `Connection: upgrade`. */
  upgrade = false
  /** Where the request line begins and ends, without its CRLF. */
  lineStart = 0
  lineEnd = 0

  get protocol(): string {
    return this.minorVersion === 1 ? 'HTTP/1.1' : 'HTTP/1.0'
  }

  get hasBody(): boolean {
    return this.chunked || this.contentLength > 0
  }

  get hasAuthority(): boolean {
    return this.targetForm === 'absolute'
  }

  requestLine(): string {
    return this.bytes.toString('latin1', this.lineStart, this.lineEnd)
  }
}
