import type { ResponseHeaders } from '../wsgi/types.ts'

/** The headers of a response, looked up in any case. */
export class TestHeaders {
  readonly #list: ResponseHeaders

  constructor(list: ResponseHeaders) {
    this.#list = list
  }

  /** The value of the first of that name; undefined for none. */
  get(name: string): string | undefined {
    return this.getAll(name)[0]
  }

  /** The values of all of that name, in their order. */
  getAll(name: string): string[] {
    const lower = name.toLowerCase()
    return this.#list.filter(([other]) => other.toLowerCase() === lower).map(([, value]) => value)
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Names and values as they were sent. */
  entries(): ResponseHeaders {
    return this.#list.map(([name, value]) => [name, value])
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.entries()[Symbol.iterator]()
  }
}
