import { CopiedHead } from '../../http/copied-head.ts'
import type { FieldName } from '../../http/field-names.ts'
import type { RequestHead } from '../../http/request-head.ts'

/**
 * A head as the application may see it: without fields that no trusted proxy has written, and with
 * the authority that trusted proxies say the client has asked for. The original stays as it is, for
 * the logs.
 */
export class ForwardedHead extends CopiedHead {
  declare readonly fields: number[]
  declare readonly names: FieldName[]
  readonly #original: RequestHead

  /** Has no fields at first: {@link add} those that stay. */
  constructor(original: RequestHead) {
    super(original)
    this.fieldCount = 0
    this.fields = []
    this.names = []
    this.host = -1
    this.#original = original
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
    this.authorityStart = this.append(authority)
    this.authorityEnd = this.bytes.length
    this.hasAuthority = true
  }

  requestLine(): string {
    return this.#original.requestLine()
  }
}
