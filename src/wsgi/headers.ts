import { checkField } from './head-rules.ts'
import type { ResponseHeaders } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * Parameters of a header. A value of `null` gives the name alone, `undefined` leaves the parameter
 * out. An underscore in a name becomes a hyphen.
 */
export type HeaderParameters = Readonly<Record<string, string | null | undefined>>

/**
 * The headers of a response, accessible by name in any case (`wsgiref.headers.Headers`). It wraps
 * the list that `startResponse` takes and changes it in place, so that a middleware can read and
 * change the list it was given. It is not the `Headers` class of fetch.
 *
 * A header that cannot be sent is refused at once, by the constructor too: a name that is not a
 * token, or a value with a control character or a character beyond latin-1. Use `encodeText` for
 * other text.
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
  /** The list itself, to pass to `startResponse`. */
  readonly list: ResponseHeaders

  /**
   * @param list changed by the methods. Defaults to an empty list
   * @throws WSGIError if a header in it cannot be sent
   */
  constructor(list: ResponseHeaders = []) {
    if (!Array.isArray(list)) {
      throw new WSGIError(
        'The start_response() Callable',
        `Headers: the list must be an array of [name, value], not ${describeValue(list)}`,
      )
    }
    for (const header of list as unknown[]) {
      if (!Array.isArray(header) || header.length !== 2) {
        throw new WSGIError(
          'The start_response() Callable',
          'Headers: each header must be an array of a name and a value, ' +
            `not ${describeValue(header)}`,
        )
      }
      check(header[0], header[1])
    }
    this.list = list
  }

  /** The number of headers, including repeated names. */
  get length(): number {
    return this.list.length
  }

  /** The value of the first header with this name, or the fallback, or `undefined`. */
  get(name: string): string | undefined
  get(name: string, fallback: string): string
  get(name: string, fallback?: string): string | undefined {
    const wanted = name.toLowerCase()
    return this.list.find((header) => header[0].toLowerCase() === wanted)?.[1] ?? fallback
  }

  /** The values of all headers with this name, in their order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase()
    return this.list
      .filter((header) => header[0].toLowerCase() === wanted)
      .map((header) => header[1])
  }

  /** Whether there is a header with this name. */
  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Adds a header at the end and removes all others with its name. @throws WSGIError */
  set(name: string, value: string): void {
    check(name, value)
    this.delete(name)
    this.list.push([name, value])
  }

  /** Adds a header at the end. Others with its name stay. @throws WSGIError */
  add(name: string, value: string): void {
    check(name, value)
    this.list.push([name, value])
  }

  /**
   * Adds a header with parameters at the end (`add_header`). The values of the parameters are
   * quoted. Text that is not ASCII is encoded by RFC 8187 (`filename*=UTF-8''%E2%82%AC.txt`), so it
   * needs no `encodeText`.
   *
   * @param value the text before the parameters; `null` for none
   * @throws WSGIError if the header cannot be sent
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

  /** Removes all headers with this name. */
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
   * The value of the first header with this name. If there is none, adds one with this value.
   *
   * @throws WSGIError
   */
  setDefault(name: string, value: string): string {
    const present = this.get(name)
    if (present !== undefined) return present
    this.add(name, value)
    return value
  }

  /** The names, in the order of the list, including repeated ones. */
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

  /** Iterates over pairs of name and value. */
  [Symbol.iterator](): Iterator<[name: string, value: string]> {
    return this.items().values()
  }

  /**
   * The headers as HTTP/1.1 sends them: `Name: value\r\n` each, then an empty line. Each character
   * stands for one byte.
   */
  toString(): string {
    return `${this.list.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  }
}

function check(name: unknown, value: unknown): void {
  checkField(name, value, 'Headers: ')
}

/** Characters that need no encoding (RFC 8187 §3.2.1, attr-char). */
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
