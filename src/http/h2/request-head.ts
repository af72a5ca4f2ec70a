import type { RequestTimes } from '../../observe/request-times.ts'
import type { RequestTrace } from '../../observe/request-trace.ts'
import type { Peer } from '../exchange.ts'
import type { FieldName } from '../field-names.ts'
import { IndexedHead } from '../indexed-head.ts'
import type { RequestHead, TargetForm } from '../request-head.ts'

const NOTHING = Buffer.alloc(0)

/**
 * The head of an HTTP/2 request. Its fields come decompressed, as strings; they are put into one
 * buffer, so that everything above finds them by offsets, as in HTTP/1.x. A head that was refused
 * half-way is valid as far as it was read, so that the refusal can be logged with the request line.
 */
export class H2RequestHead extends IndexedHead implements RequestHead {
  bytes: Buffer = NOTHING
  readonly protocol = 'HTTP/2.0'
  method = ''
  targetForm: TargetForm = 'origin'
  targetStart = 0
  targetEnd = 0
  pathStart = 0
  pathEnd = 0
  queryStart = 0
  queryEnd = 0
  hasQuery = false
  hasAuthority = false
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
  hasBody = false
  contentLength = -1
  expectContinue = false
  /** Where the request line ends, which begins the buffer. */
  lineEnd = 0

  requestLine(): string {
    return this.bytes.toString('latin1', 0, this.lineEnd)
  }
}
