/** Finds the comma that ends the element to the left of `end`; -1 if there is none. */
export type CommaBefore = (text: string, end: number) => number

/**
 * Reads the elements of a list header (RFC 9110 §5.6.1) from the right, one after another, without
 * looking at what is to the left of them. Empty elements do not count.
 *
 * Proxies append to such a list at its right. What is to the left may be the client's, and must not
 * change how the rest is read.
 *
 * @example
 * const list = new ListFromRight('6.6.6.6, 192.0.2.1', lastComma)
 * list.next() // true
 * list.element // '192.0.2.1'
 */
export class ListFromRight {
  /** Where the element begins and ends in the text, without the white space around it. */
  start = 0
  end = 0

  readonly #text: string
  readonly #commaBefore: CommaBefore
  /** Where the rest of the list ends; below 0 if there is none. */
  #rest: number

  constructor(text: string, commaBefore: CommaBefore) {
    this.#text = text
    this.#commaBefore = commaBefore
    this.#rest = text.length
  }

  /** @returns whether there is another element */
  next(): boolean {
    const text = this.#text
    while (this.#rest >= 0) {
      const comma = this.#commaBefore(text, this.#rest)
      let start = comma + 1
      let end = this.#rest
      this.#rest = comma
      while (start < end && isBlank(text.charCodeAt(start))) start++
      while (end > start && isBlank(text.charCodeAt(end - 1))) end--
      if (start === end) continue
      this.start = start
      this.end = end
      return true
    }
    return false
  }

  get element(): string {
    return this.#text.slice(this.start, this.end)
  }
}

/** The last comma before `end`, also one between quotes. */
export const lastComma: CommaBefore = (text, end) =>
  end === 0 ? -1 : text.lastIndexOf(',', end - 1)

/** Optional white space (RFC 9110 §5.6.3). */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
