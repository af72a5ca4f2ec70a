import { checkField } from './head-rules.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * Parameters of a header: `null` gives the name alone, `undefined` is left out; an underscore in a
 * name becomes a hyphen.
 */
export type HeaderParameters = Readonly<Record<string, string | null | undefined>>

/**
 * The headers of a response, by name in any case (`wsgiref.headers.Headers`). It wraps a list of
 * the kind that `startResponse` takes and changes it in place, so a middleware can look at and
 * change the list it was handed. It is not the `Headers` of fetch.
 *
 * What cannot be sent is refused at once, by the constructor too: a name that is no token, a value
 * with a control character or a character beyond latin-1 (`encodeText` makes text fit).
 *
 * @example
 * import { Headers, type Middleware, toFunction } from 'monoceros'
 *
 * const asDownload: Middleware = (app) => (environ, startResponse) =>
 *   toFunction(app)(environ, (status, list, excInfo) => {
 *     const headers = new Headers(list)
 *     headers.setDefault('Content-Type', 'text/csv')
 *     headers.addHeader('Content-Disposition', 'attachment', { filename: 'übersicht.csv' })
 *     return startResponse(status, list, excInfo)
 *   })
 */
export class Headers implements Iterable<[name: string, value: string]> {
  /** The list itself: what `startResponse` is given. */
  readonly list: ResponseHeaders

  /**
   * @param list is changed by what is called here; an empty list when absent
   * @throws WSGIError where it cannot be sent
   */
  constructor(list: ResponseHeaders = []) {
    if (!Array.isArray(list)) {
      throw new WSGIError(
        'The start_response() Callable',
        `Headers: the headers must be an array of [name, value], not ${describeValue(list)}`,
      )
    }
    for (const header of list as unknown[]) {
      if (!Array.isArray(header) || header.length !== 2) {
        throw new WSGIError(
          'The start_response() Callable',
          `Headers: each header must be an array of a name and a value, not ${describeValue(header)}`,
        )
      }
      check(header[0], header[1])
    }
    this.list = list
  }

  /** How many headers there are, each of several of one name counted. */
  get length(): number {
    return this.list.length
  }

  /** The value of the first header of that name; else the fallback, or `undefined`. */
  get(name: string): string | undefined
  get(name: string, fallback: string): string
  get(name: string, fallback?: string): string | undefined {
    const wanted = name.toLowerCase()
    return this.list.find((header) => header[0].toLowerCase() === wanted)?.[1] ?? fallback
  }

  /** The values of all headers of that name, in their order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase()
    return this.list
      .filter((header) => header[0].toLowerCase() === wanted)
      .map((header) => header[1])
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Puts a header at the end, and takes away all others of its name. @throws WSGIError */
  set(name: string, value: string): void {
    check(name, value)
    this.delete(name)
    this.list.push([name, value])
  }

  /** Puts a header at the end; others of its name stay. @throws WSGIError */
  add(name: string, value: string): void {
    check(name, value)
    this.list.push([name, value])
  }

  /**
   * Puts a header with parameters at the end (`add_header`). Their values are quoted; one that is
   * not ASCII is written as RFC 8187 says (`filename*=UTF-8''%E2%82%AC.txt`), so here text needs no
   * `encodeText`.
   *
   * @param value what stands before the parameters; `null` for nothing
   * @throws WSGIError
   * @example headers.addHeader('Content-Disposition', 'attachment', { filename: 'a "b".gif' })
   * // Content-Disposition: attachment; filename="a \"b\".gif"
   */
  addHeader(name: string, value: string | null, parameters: HeaderParameters = {}): void {
    check(name, value ?? '')
    const parts = value === null ? [] : [value]
    for (const [key, each] of Object.entries(parameters)) {
      if (each !== undefined) parts.push(parameter(key.replaceAll('_', '-'), each))
    }
    this.add(name, parts.join('; '))
  }

  /** Takes away all headers of that name, if any. */
  delete(name: string): void {
    const unwanted = name.toLowerCase()
    const { list } = this
    let kept = 0
    for (const header of list) {
      if (header[0].toLowerCase() !== unwanted) list[kept++] = header
    }
    list.length = kept
  }

  /**
   * The value of the first header of that name; where there is none, it is added with this value.
   * @throws WSGIError
   */
  setDefault(name: string, value: string): string {
    const present = this.get(name)
    if (present !== undefined) return present
    this.add(name, value)
    return value
  }

  /** The names, in the order of the list, duplicates and all. */
  keys(): string[] {
    return this.list.map((header) => header[0])
  }

  /** The values, in the order of the list. */
  values(): string[] {
    return this.list.map((header) => header[1])
  }

  /** A copy of the list. */
  items(): ResponseHeaders {
    return this.list.map(([name, value]) => [name, value])
  }

  /** Name and value of each. */
  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.items().values()
  }

  /**
   * As they are sent: `Name: value\r\n` each, and an empty line at the end; one character a byte.
   */
  toString(): string {
    return `${this.list.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  }
}

function check(name: unknown, value: unknown): void {
  checkField(name, value, 'Headers: ')
}

/** What RFC 8187 §3.2.1 lets stand for itself (attr-char). */
const ATTR_CHAR = /[A-Za-z0-9!#$&+.^_`|~-]/

function parameter(name: string, value: string | null): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is all it leaves
  const ascii = typeof value === 'string' ? value.replace(/[^\x00-\x7f]/g, '') : (value ?? '')
  checkField(name, ascii, 'Headers: parameter: ') // the rest is encoded
  if (value === null || value === '') return name
  if (value === ascii) return `${name}="${value.replace(/["\\]/g, '\\$&')}"`
  let encoded = ''
  for (const byte of new TextEncoder().encode(value)) {
    const character = String.fromCharCode(byte)
    encoded += ATTR_CHAR.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return `${name}*=UTF-8''${encoded}`
}
