import { type Field, type ResponseHead, responseField } from '../http/response-head.ts'

/**
 * Adds fields to response heads, unless they have fields of these names already. The same head gets
 * the same new one, because most of an application's answers have one of a few heads, and a
 * protocol keeps with each what it made of it.
 */
export class AddedFields {
  readonly #fields: readonly (readonly [name: string, value: string, lowerName: string])[]
  readonly #made = new WeakMap<ResponseHead, ResponseHead>()

  constructor(fields: readonly Field[]) {
    this.#fields = fields.map(([name, value]) => [name, value, name.toLowerCase()])
  }

  /** The head with the fields that it lacks. */
  to(head: ResponseHead): ResponseHead {
    let made = this.#made.get(head)
    if (made === undefined) {
      const { status, reason, contentLength, hasDate, hasServer } = head
      const fields = [...head.fields, ...this.#lacking((name) => responseField(head, name))]
      made = { status, reason, fields, contentLength, hasDate, hasServer, rendered: null }
      this.#made.set(head, made)
    }
    return made
  }

  /** The fields of one of the server's own answers, and those that they lack. */
  with(fields: readonly Field[]): readonly Field[] {
    const known = (name: string) => fields.find(([other]) => other.toLowerCase() === name)
    return [...fields, ...this.#lacking(known)]
  }

  #lacking(known: (lowerName: string) => unknown): Field[] {
    return this.#fields
      .filter(([, , lowerName]) => known(lowerName) === undefined)
      .map(([name, value]) => [name, value])
  }
}
