import type { FieldName } from '../../http/field-names.ts'
import { IndexedHead } from '../../http/indexed-head.ts'
import type { Peer } from '../../http/peer.ts'
import type { RequestHead, TargetForm } from '../../http/request-head.ts'

/**
 * A head as the application may see it: without fields that no trusted proxy has written, and with
 * the authority that trusted proxies say the client has asked for. The original stays as it is, for
 * the logs.
 */
export class ForwardedHead extends IndexedHead implements RequestHead {
  bytes: Buffer
  readonly protocol: string
  readonly method: string
  readonly targetForm: TargetForm
  readonly targetStart: number
  readonly targetEnd: number
  readonly pathStart: number
  readonly pathEnd: number
  readonly queryStart: number
  readonly queryEnd: number
  readonly hasQuery: boolean
  hasAuthority: boolean
  authorityStart: number
  authorityEnd: number
  fieldCount = 0
  readonly fields: number[] = []
  readonly names: FieldName[] = []
  host = -1
  secure: boolean
  client: Peer | null
  scriptName: string | null
  readonly hasBody: boolean
  readonly contentLength: number
  readonly expectContinue: boolean
  readonly #original: RequestHead

  /** Has no fields at first: {@link add} those that stay. */
  constructor(original: RequestHead) {
    super()
    this.#original = original
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
    this.secure = original.secure
    this.client = original.client
    this.scriptName = original.scriptName
    this.hasBody = original.hasBody
    this.contentLength = original.contentLength
    this.expectContinue = original.expectContinue
  }

  /** Adds a field of the original. Its value begins at `valueStart`, or where it began there. */
  add(index: number, valueStart = -1): void {
    const { fields, names, host } = this.#original
    if (index === host) this.host = this.fieldCount
    this.fieldCount++
    this.names.push(names[index]!)
    const first = index * 4
    this.fields.push(
      fields[first]!,
      fields[first + 1]!,
      valueStart === -1 ? fields[first + 2]! : valueStart,
      fields[first + 3]!,
    )
  }

  /** Sets what takes the place of the Host field, in ASCII. */
  setAuthority(authority: string): void {
    // What is behind the head is not part of it: other requests, or nothing.
    let end = Math.max(this.targetEnd, this.authorityEnd)
    for (let index = 3; index < this.fields.length; index += 4) {
      end = Math.max(end, this.fields[index]!)
    }
    this.bytes = Buffer.concat([this.bytes.subarray(0, end), Buffer.from(authority, 'latin1')])
    this.hasAuthority = true
    this.authorityStart = end
    this.authorityEnd = this.bytes.length
  }

  requestLine(): string {
    return this.#original.requestLine()
  }
}
