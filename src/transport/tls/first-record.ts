import type { Span } from '../../bytes/span.ts'

/** What a client that connects to a listener with TLS has sent so far. */
export type Opening =
  /** It may become a record of a handshake. */
  | 'incomplete'
  /** A whole record of a handshake, with the beginning of a message that is not too long. */
  | 'record'
  /** The beginning of a message that is too long for a ClientHello. */
  | 'long'
  /** It begins like a request of plain HTTP. */
  | 'plain'
  /** Nothing that is known. */
  | 'unknown'

/** RFC 8446 §5.1: type, version and length of a record. */
const HEADER = 5
const HANDSHAKE = 22
const MAJOR_VERSION = 3
/** Of a record; and a message that is longer is refused, because OpenSSL would keep 128 KiB. */
const LONGEST = 1 << 14
/** RFC 8446 §4: type and length of a message. */
const MESSAGE_HEADER = 4

/**
 * Collects the first record of a TLS connection, which has the ClientHello or its beginning (small
 * records are followed by another, until the length of the message is known). Until then, the
 * client costs its bytes, and no state of OpenSSL, which is many times that.
 */
export class FirstRecord {
  #bytes: Buffer | null = null

  /** Bytes that are held. */
  get held(): number {
    return this.#bytes === null ? 0 : this.#bytes.length
  }

  /** What has come, with everything after the record. */
  get bytes(): Buffer {
    return this.#bytes ?? Buffer.alloc(0)
  }

  /** Takes what the client has sent. The bytes are copied if they have to be kept for long. */
  take(span: Span): Opening {
    const view = span.view()
    const bytes = this.#bytes === null ? Buffer.from(view) : Buffer.concat([this.#bytes, view])
    this.#bytes = bytes
    const opening = classify(bytes)
    if (opening !== 'incomplete' && opening !== 'record') this.#bytes = null
    return opening
  }

  /** Forgets the bytes. */
  clear(): void {
    this.#bytes = null
  }
}

function classify(bytes: Buffer): Opening {
  const type = bytes[0]
  if (type !== undefined && type !== HANDSHAKE) return isLetter(type) ? 'plain' : 'unknown'
  // The beginning of the message is in the first record, unless that has less than four bytes.
  let known = 0
  let length = 0
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return 'unknown'
    if (at + 1 < bytes.length && bytes[at + 1] !== MAJOR_VERSION) return 'unknown'
    const from = at + HEADER
    if (bytes.length < from) return 'incomplete'
    const size = bytes.readUInt16BE(at + 3)
    if (size === 0 || size > LONGEST) return 'unknown'
    at = from + size
    const end = Math.min(at, bytes.length)
    for (let i = from; i < end && known < MESSAGE_HEADER; i++)
      if (known++ > 0) length = length * 256 + bytes[i]!
    if (known === MESSAGE_HEADER && length > LONGEST) return 'long'
    if (bytes.length < at) return 'incomplete'
    if (known === MESSAGE_HEADER) return 'record'
  }
}

/** Every method in use begins with one (RFC 9110 §9.1). */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}
