/** Wire types of protocol buffers. */
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5
/** A length below it is one byte. */
const SHORT = 128

/**
 * Writes a message of protocol buffers (https://protobuf.dev/programming-guides/encoding/). Fields
 * have the numbers of the schema; those with their default value are left out by the caller.
 */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(2048)
  #at = 0

  /** The message so far, copied; and begins another one. */
  take(): Buffer {
    const message = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.#at = 0
    return message
  }

  /** A field of type int32, int64, uint32, bool or enum. @param value whole, not negative */
  number(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.#varint(value)
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, FIXED32)
    this.#reserve(4)
    this.#at = this.#bytes.writeUInt32LE(value, this.#at)
  }

  /** A field of type fixed64 that has nanoseconds. @param micros microseconds, whole */
  nanoseconds(field: number, micros: number): void {
    this.#tag(field, FIXED64)
    this.#reserve(8)
    // A number has 53 bits, which nanoseconds since 1970 exceed.
    const high = Math.floor(micros / 2 ** 32)
    const low = (micros - high * 2 ** 32) * 1000
    const carry = Math.floor(low / 2 ** 32)
    this.#at = this.#bytes.writeUInt32LE(low - carry * 2 ** 32, this.#at)
    this.#at = this.#bytes.writeUInt32LE(high * 1000 + carry, this.#at)
  }

  text(field: number, text: string): void {
    this.#tag(field, LENGTH)
    if (text.length < SHORT && this.#ascii(text)) return
    const length = Buffer.byteLength(text)
    this.#varint(length)
    this.#reserve(length)
    this.#at += this.#bytes.write(text, this.#at)
  }

  /**
   * Writes a short text and its length, which is faster here than a call of Node's for each of the
   * many texts of a span. @returns whether it is ASCII; otherwise nothing is written
   */
  #ascii(text: string): boolean {
    const { length } = text
    this.#reserve(length + 1)
    const bytes = this.#bytes
    const start = this.#at + 1
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[start + i] = code
    }
    bytes[this.#at] = length
    this.#at = start + length
    return true
  }

  /** A field of type bytes. @param digits hexadecimal, in lower case, fewer than 256 */
  hex(field: number, digits: string): void {
    this.#tag(field, LENGTH)
    const size = digits.length >> 1
    this.#reserve(size + 1)
    const bytes = this.#bytes
    bytes[this.#at++] = size
    for (let i = 0; i < size; i++)
      bytes[this.#at++] =
        (digitOf(digits.charCodeAt(2 * i)) << 4) | digitOf(digits.charCodeAt(2 * i + 1))
  }

  /** A field that is a message. @param write writes its fields */
  message(field: number, write: () => void): void {
    this.#tag(field, LENGTH)
    // One byte for the length is enough for most; otherwise the message is moved.
    this.#reserve(1)
    const start = ++this.#at
    write()
    const length = this.#at - start
    const more = varintSize(length) - 1
    if (more > 0) {
      this.#reserve(more)
      this.#bytes.copyWithin(start + more, start, this.#at)
    }
    this.#at = start - 1
    this.#varint(length)
    this.#at += length
  }

  /** The beginning of a field that is a message, whose fields follow elsewhere. */
  messageOf(field: number, length: number): void {
    this.#tag(field, LENGTH)
    this.#varint(length)
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType)
  }

  #varint(value: number): void {
    this.#reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe((this.#at + size) * 2)
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** The value of a hexadecimal digit in lower case. @param code its character code */
function digitOf(code: number): number {
  return code <= 0x39 ? code - 0x30 : code - 0x57
}

function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}
