import { CopiedHead } from '../../http/copied-head.ts'
import { type FieldName, fieldNames } from '../../http/field-names.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { Field } from '../../http/response-head.ts'

/**
 * A copy of a request's head with other fields. It has its own memory, so it may outlive the
 * connection that the request came on.
 */
export class RewrittenHead extends CopiedHead {
  readonly #requestLine: string

  /**
   * @param head of a request without a body, in origin-form
   * @param removed names of fields to leave out, in lower case
   * @param added fields to add
   */
  constructor(head: RequestHead, removed: ReadonlySet<string>, added: readonly Field[]) {
    super(head)
    const { bytes, targetStart, targetEnd, authorityStart, authorityEnd } = head
    const parts: Buffer[] = []
    let at = 0
    const append = (part: Buffer): number => {
      parts.push(part)
      at += part.length
      return at
    }
    this.targetStart = 0
    this.targetEnd = append(bytes.subarray(targetStart, targetEnd))
    this.pathStart = head.pathStart - targetStart
    this.pathEnd = head.pathEnd - targetStart
    this.queryStart = head.queryStart - targetStart
    this.queryEnd = head.queryEnd - targetStart
    this.authorityStart = at
    this.authorityEnd = append(bytes.subarray(authorityStart, authorityEnd))
    const fields: number[] = []
    const names: FieldName[] = []
    const field = (name: FieldName, nameBytes: Buffer, value: Buffer) => {
      fields.push(at, append(nameBytes), at, append(value))
      names.push(name)
    }
    let host = -1
    for (let i = 0; i < head.fieldCount; i++) {
      const name = head.names[i]!
      if (removed.has(name.lower)) continue
      if (i === head.host) host = names.length
      const [nameStart, nameEnd, valueStart, valueEnd] = head.fields.slice(i * 4, i * 4 + 4)
      field(name, bytes.subarray(nameStart, nameEnd), bytes.subarray(valueStart, valueEnd))
    }
    for (const [name, value] of added)
      field(fieldNames.named(name), Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1'))
    this.bytes = Buffer.concat(parts, at)
    this.fields = fields
    this.names = names
    this.fieldCount = names.length
    this.host = host
    this.hasBody = false
    this.contentLength = -1
    this.expectContinue = false
    this.#requestLine = head.requestLine()
  }

  requestLine(): string {
    return this.#requestLine
  }
}
