import type { RequestHead } from '../../http/request-head.ts'
import { type CommaBefore, ListFromRight } from '../../semantics/list-from-right.ts'

/**
 * Reads the elements of a list header from the right, over all fields of that name: the last field
 * comes first (RFC 9110 §5.3). An element never reaches over two fields.
 */
export class FieldList {
  /** The field of the element, as an index of the head; -1 before the first. */
  field = -1
  /** Where the element begins in the bytes of the head. */
  start = 0
  element = ''

  readonly #head: RequestHead
  readonly #name: string
  readonly #commaBefore: CommaBefore
  #next: number
  #list: ListFromRight | null = null

  /** @param name in lower case */
  constructor(head: RequestHead, name: string, commaBefore: CommaBefore) {
    this.#head = head
    this.#name = name
    this.#commaBefore = commaBefore
    this.#next = head.fieldCount
  }

  /** @returns whether there is another element */
  next(): boolean {
    for (;;) {
      if (this.#list?.next()) {
        this.start = this.#head.fields[this.field * 4 + 2]! + this.#list.start
        this.element = this.#list.element
        return true
      }
      do this.#next--
      while (this.#next >= 0 && this.#head.names[this.#next]!.lower !== this.#name)
      if (this.#next < 0) return false
      this.field = this.#next
      this.#list = new ListFromRight(this.#head.value(this.#next), this.#commaBefore)
    }
  }
}
