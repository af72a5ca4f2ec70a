import type { Span } from '../../bytes/span.ts'

/** What a client that connects to a listener with TLS has sent so far. */
export type Opening =
  /** It may become a record of a handshake. */
  | 'incomplete'
  /** A whole record of a handshake. */
  | 'record'
  /** It begins like a request of plain HTTP. */
  | 'plain'
  /** Nothing that is known. */
  | 'unknown'

/** RFC 8446 §5.1: type, version and length of a record. */
const HEADER = 5
const HANDSHAKE = 22
const MAJOR_VERSION = 3
const LONGEST = 1 << 14

/**
 * Collects the first record of a TLS connection, which has the ClientHello. Until it is whole, the
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
    if (opening === 'plain' || opening === 'unknown') this.#bytes = null
    return opening
  }

  /** Forgets the bytes. */
  clear(): void {
    this.#bytes = null
  }
}

function classify(bytes: Buffer): Opening {
  const type = bytes[0]
  if (type === undefined) return 'incomplete'
  if (type !== HANDSHAKE) return isLetter(type) ? 'plain' : 'unknown'
  if (bytes.length > 1 && bytes[1] !== MAJOR_VERSION) return 'unknown'
  if (bytes.length < HEADER) return 'incomplete'
  const length = bytes.readUInt16BE(3)
  if (length === 0 || length > LONGEST) return 'unknown'
  return bytes.length >= HEADER + length ? 'record' : 'incomplete'
}

/** Every method in use begins with one (RFC 9110 §9.1). */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}
