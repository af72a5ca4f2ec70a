import type { RequestTimes } from '../observe/request-times.ts'
import type { RequestTrace } from '../observe/request-trace.ts'
import type { FieldName } from './field-names.ts'
import { IndexedHead } from './indexed-head.ts'
import type { Peer } from './peer.ts'
import type { RequestHead, TargetForm } from './request-head.ts'

/**
 * A head that is made from another one: at first it says the same, and its class changes what is
 * different. The original stays as it is, for the logs.
 */
export abstract class CopiedHead extends IndexedHead implements RequestHead {
  bytes: Buffer
  readonly protocol: string
  readonly method: string
  readonly targetForm: TargetForm
  targetStart: number
  targetEnd: number
  pathStart: number
  pathEnd: number
  queryStart: number
  queryEnd: number
  readonly hasQuery: boolean
  hasAuthority: boolean
  authorityStart: number
  authorityEnd: number
  fieldCount: number
  fields: readonly number[]
  names: readonly FieldName[]
  host: number
  secure: boolean
  client: Peer | null
  scriptName: string | null
  trace: RequestTrace | null
  times: RequestTimes | null
  hasBody: boolean
  contentLength: number
  expectContinue: boolean

  constructor(original: RequestHead) {
    super()
    this.bytes = original.bytes
    this.protocol = original.protocol
    this.method = original.method
    this.targetForm = original.targetForm
    this.targetStart = original.targetStart
    this.targetEnd = original.targetEnd
    this.pathStart = original.pathStart
    this.pathEnd = original.pathEnd
    this.queryStart = original.queryStart
    this.queryEnd = original.queryEnd
    this.hasQuery = original.hasQuery
    this.hasAuthority = original.hasAuthority
    this.authorityStart = original.authorityStart
    this.authorityEnd = original.authorityEnd
    this.fieldCount = original.fieldCount
    this.fields = original.fields
    this.names = original.names
    this.host = original.host
    this.secure = original.secure
    this.client = original.client
    this.scriptName = original.scriptName
    this.trace = original.trace
    this.times = original.times
    this.hasBody = original.hasBody
    this.contentLength = original.contentLength
    this.expectContinue = original.expectContinue
  }

  abstract requestLine(): string

  /**
   * Puts a text behind the head, in bytes of its own: what was there is not part of it, but other
   * requests, or nothing.
   *
   * @param text ASCII
   * @returns where it begins
   */
  protected append(text: string): number {
    const { bytes, fields, fieldCount } = this
    let end = Math.max(this.targetEnd, this.authorityEnd)
    for (let i = 0; i < fieldCount; i++) end = Math.max(end, fields[i * 4 + 3]!)
    const longer = Buffer.allocUnsafe(end + text.length)
    bytes.copy(longer, 0, 0, end)
    longer.write(text, end, 'latin1')
    this.bytes = longer
    return end
  }
}
