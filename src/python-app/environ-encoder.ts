import { ASCII, DICT, NULL, SHORT_ASCII, UNICODE } from '../gateway/marshal.ts'
import type { WSGIEnvironment } from '../wsgi/types.ts'
import { describeValue, WSGIError } from '../wsgi/wsgi-error.ts'

// The type codes that the gateway's environs do not need.
const LIST = 0x5b // '[': u32 count
const BYTES = 0x73 // 's': u32 length
const INT = 0x69 // 'i': i32
const LONG = 0x6c // 'l': i32 count of digits with the number's sign, u16 each, base 2^15
const FLOAT = 0x67 // 'g': f64
const TRUE = 0x54
const FALSE = 0x46
const NONE = 0x4e

/** The variables of an environ that the worker sets itself. */
const WORKERS_OWN: ReadonlySet<string> = new Set([
  'wsgi.version',
  'wsgi.input',
  'wsgi.errors',
  'wsgi.multithread',
  'wsgi.multiprocess',
  'wsgi.run_once',
  'wsgi.file_wrapper',
  'wsgi.input_terminated',
])

/** A frame may have 16 MiB, of which the body in memory takes up to 8 (`request_buffer_size`). */
const MOST_BYTES = 7 * 1024 * 1024
/** Nesting deeper than this is taken for a cycle. */
const DEEPEST = 64
const FIRST_SIZE = 16 * 1024
const DIGIT = 0x7fffn

/**
 * Writes an environ as the `marshal` of a Python dict, which a worker reads with one C call.
 *
 * A string becomes str, a number int or float, and so on: see `pythonApp`. Values that Python
 * cannot use (functions, class instances, `undefined`) are left out, as in JSON.
 */
export class EnvironEncoder {
  #out = Buffer.allocUnsafeSlow(FIRST_SIZE)
  #at = 0

  /**
   * Writes the dict without its end, so that more can be added.
   *
   * @param leaveOut a key that is not wanted, or `''`
   * @throws WSGIError for a character beyond latin-1 in a key or in a string value, and for cycles
   */
  encode(environ: WSGIEnvironment, leaveOut: string, multiprocess: boolean): Buffer {
    if (typeof environ.REQUEST_METHOD !== 'string') {
      throw new WSGIError(
        'environ Variables',
        `REQUEST_METHOD must be a string, not ${describeValue(environ.REQUEST_METHOD)}`,
      )
    }
    this.#at = 0
    this.#byte(DICT)
    // Also what is inherited: Object.create(environ) is a way to change one without touching it.
    for (const key in environ) {
      const value = environ[key]
      if (!isEncodable(value) || key === leaveOut || WORKERS_OWN.has(key)) continue
      this.#view(key, key)
      if (typeof value === 'string') this.#view(value, key)
      else this.#value(value, key, 0)
    }
    if (multiprocess) {
      this.#view('wsgi.multiprocess', '')
      this.#byte(TRUE)
    }
    if (this.#at > MOST_BYTES) {
      const size = this.#at
      this.#out = Buffer.allocUnsafeSlow(FIRST_SIZE)
      throw new WSGIError(
        'environ Variables',
        `An environ of ${size} bytes is too large for a worker`,
      )
    }
    return Buffer.from(this.#out.subarray(0, this.#at))
  }

  /** A string of the environ itself: a view of bytes. */
  #view(text: string, key: string): void {
    const above = this.#text(text)
    if (above <= 0xff) return
    throw new WSGIError(
      'Unicode Issues',
      `environ[${JSON.stringify(key)}]: ${JSON.stringify(text.slice(0, 60))} has a character ` +
        'beyond latin-1; encodeText() makes such text fit',
    )
  }

  /** @returns a number above 255 where a character is beyond latin-1 */
  #text(text: string): number {
    const { length } = text
    this.#reserve(5 + 3 * length)
    const out = this.#out
    const at = this.#at
    let to: number
    if (length < 256) {
      out[at] = SHORT_ASCII
      out[at + 1] = length
      to = at + 2
    } else {
      out[at] = ASCII
      to = out.writeUInt32LE(length, at + 1)
    }
    // A loop, because a call into native code costs more for strings as short as in an environ.
    let all = 0
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      all |= code
      out[to++] = code
    }
    if (all >= 0x80) {
      out[at] = UNICODE
      const bytes = out.write(text, at + 5, 'utf8')
      out.writeUInt32LE(bytes, at + 1)
      to = at + 5 + bytes
    }
    this.#at = to
    return all
  }

  #value(value: unknown, key: string, depth: number): void {
    if (depth > DEEPEST) {
      throw new WSGIError(
        'environ Variables',
        `environ[${JSON.stringify(key)}] is nested deeper than ${DEEPEST}`,
      )
    }
    switch (typeof value) {
      case 'string':
        this.#text(value)
        return
      case 'boolean':
        this.#byte(value ? TRUE : FALSE)
        return
      case 'number':
        this.#number(value)
        return
      case 'bigint':
        this.#integer(value)
        return
    }
    if (value instanceof Uint8Array) this.#bytes(value)
    else if (Array.isArray(value)) this.#list(value, key, depth)
    else if (isEncodable(value) && value !== null)
      this.#dict(value as Record<string, unknown>, key, depth)
    else this.#byte(NONE)
  }

  #number(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
      this.#reserve(5)
      this.#out[this.#at] = INT
      this.#at = this.#out.writeInt32LE(value, this.#at + 1)
    } else if (Number.isSafeInteger(value)) {
      this.#integer(BigInt(value))
    } else {
      this.#reserve(9)
      this.#out[this.#at] = FLOAT
      this.#at = this.#out.writeDoubleLE(value, this.#at + 1)
    }
  }

  #integer(value: bigint): void {
    const digits: number[] = []
    for (let left = value < 0n ? -value : value; left > 0n; left >>= 15n)
      digits.push(Number(left & DIGIT))
    this.#reserve(5 + 2 * digits.length)
    this.#out[this.#at] = LONG
    this.#at = this.#out.writeInt32LE(value < 0n ? -digits.length : digits.length, this.#at + 1)
    for (const digit of digits) this.#at = this.#out.writeUInt16LE(digit, this.#at)
  }

  #bytes(bytes: Uint8Array): void {
    this.#counted(BYTES, bytes.length, bytes.length)
    this.#out.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #list(items: readonly unknown[], key: string, depth: number): void {
    this.#counted(LIST, items.length, items.length)
    for (const item of items) this.#value(item, key, depth + 1)
  }

  #dict(object: Record<string, unknown>, key: string, depth: number): void {
    this.#byte(DICT)
    for (const name of Object.keys(object)) {
      const value = object[name]
      if (!isEncodable(value)) continue
      this.#text(name)
      this.#value(value, key, depth + 1)
    }
    this.#byte(NULL)
  }

  #counted(type: number, count: number, space: number): void {
    this.#reserve(5 + space)
    this.#out[this.#at] = type
    this.#at = this.#out.writeUInt32LE(count, this.#at + 1)
  }

  #byte(byte: number): void {
    this.#reserve(1)
    this.#out[this.#at++] = byte
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#out.length) return
    const larger = Buffer.allocUnsafeSlow(needed * 2)
    this.#out.copy(larger, 0, 0, this.#at)
    this.#out = larger
  }
}

/** An end for what {@link EnvironEncoder.encode} gives. */
export const ENVIRON_END: Buffer = Buffer.of(NULL)

/** The same, with the length of a body of which it was not known before. */
export function endWithLength(length: number): Buffer {
  const key = 'CONTENT_LENGTH'
  const value = String(length)
  return Buffer.from(
    `${String.fromCharCode(SHORT_ASCII, key.length)}${key}` +
      `${String.fromCharCode(SHORT_ASCII, value.length)}${value}${String.fromCharCode(NULL)}`,
    'latin1',
  )
}

function isEncodable(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
      return true
    case 'object': {
      if (value === null || Array.isArray(value) || value instanceof Uint8Array) return true
      const prototype = Object.getPrototypeOf(value) as unknown
      return prototype === Object.prototype || prototype === null
    }
    default:
      return false
  }
}
