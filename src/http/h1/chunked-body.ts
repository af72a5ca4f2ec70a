import { quoteByte } from '../../bytes/quoted.ts'
import type { Span } from '../../bytes/span.ts'
import {
  BACKSLASH,
  COLON,
  CR,
  EQUALS,
  FIELD_VALUE,
  HEX_DIGIT_PLUS_ONE,
  HTAB,
  LF,
  QUOTE,
  QUOTED_TEXT,
  SEMICOLON,
  SP,
  TOKEN_LOWER,
} from '../../semantics/syntax.ts'
import { HttpError } from '../errors.ts'
import {
  effectiveLimits,
  FIELD_SIZE_CEILING,
  FIELDS_CEILING,
  HEAD_CEILING,
  type HeadLimits,
  limitText,
} from '../limits.ts'
import type { BodyReceiver } from './body-receiver.ts'

/** The most hexadecimal digits of a chunk size, leading zeros included. */
export const CHUNK_SIZE_DIGITS = 16

/**
 * The most bytes that all chunk extensions of one body may have together: 16 KiB. They are not
 * used.
 */
export const CHUNK_EXTENSION_BYTES = 16 * 1024

/**
 * Data of fewer bytes than this is moved to what came before it in the same read; more is a piece
 * of its own.
 */
const NOT_MOVED = 4096

const LARGEST_CHUNK = Number.MAX_SAFE_INTEGER

// What the next byte belongs to.
const SIZE_START = 0
const SIZE = 1
const SIZE_LF = 2
const SIZE_SPACE = 3
const EXTENSION_START = 4
const EXTENSION_NAME = 5
const EXTENSION_NAME_SPACE = 6
const EXTENSION_VALUE_START = 7
const EXTENSION_VALUE = 8
const EXTENSION_QUOTED = 9
const EXTENSION_QUOTED_PAIR = 10
const EXTENSION_VALUE_END = 11
const EXTENSION_VALUE_SPACE = 12
const DATA = 13
const DATA_CR = 14
const DATA_LF = 15
const TRAILER_START = 16
const TRAILER_NAME = 17
const TRAILER_VALUE = 18
const TRAILER_LF = 19
const LAST_LF = 20
const DONE = 21

/**
 * A chunked body (RFC 9112 §7.1): chunks, the last chunk and the trailer section.
 *
 * It is stricter than the grammar where recipients are known to disagree: at most 16 digits, exact
 * CRLFs, and white space ("BWS", RFC 9110 §5.6.3) only around the `;` and `=` of extensions, not
 * after a size or the last extension. Extensions are checked for their form, limited together with
 * their white space, and dropped.
 *
 * Trailer fields are checked for their form and limited like the fields of a head, and all of them
 * are dropped. That includes fields that must not be there (`Content-Length`, `Host`,
 * `Authorization`): if they were merged into the head, they would change the message after it was
 * accepted (RFC 9110 §6.5.1).
 *
 * @example
 * ```ts
 * const body = new ChunkedBody(DEFAULT_HEAD_LIMITS)
 * const bytes = Buffer.from('5\r\nhello\r\n0\r\n\r\n')
 * body.receive(new Span().set(bytes, 0, 15), (data) => parts.push(data)) // takes 15
 * body.done // true
 * ```
 */
export class ChunkedBody implements BodyReceiver {
  readonly #fieldsLimit: number
  readonly #fieldSizeLimit: number
  readonly #headLimit: number
  #phase: number
  #digits: number
  /** The size as read so far, then how much of the chunk is still to come. */
  #remaining: number
  #extensionBytes: number
  #trailers: number
  /** Bytes of the trailer section, and of its current line. */
  #trailerBytes: number
  #lineBytes: number

  constructor(limits: HeadLimits) {
    const effective = effectiveLimits(limits)
    this.#fieldsLimit = effective.fields
    this.#fieldSizeLimit = effective.fieldSize
    this.#headLimit = effective.head
    this.#phase = SIZE_START
    this.#digits = 0
    this.#remaining = 0
    this.#extensionBytes = 0
    this.#trailers = 0
    this.#trailerBytes = 0
    this.#lineBytes = 0
  }

  get done(): boolean {
    return this.#phase === DONE
  }

  receive(span: Span, sink: (data: Buffer) => void): void {
    const { bytes: chunk, end } = span
    let i = span.start
    // The data of small chunks is moved together. Otherwise a client that sends one byte per chunk
    // would cost an object for each byte.
    let dataStart = end
    let dataEnd = end
    try {
      while (i < end && this.#phase !== DONE) {
        if (this.#phase !== DATA) {
          this.#takeByte(chunk[i]!)
          i++
          continue
        }
        const length = Math.min(this.#remaining, end - i)
        this.#remaining -= length
        if (this.#remaining === 0) this.#phase = DATA_CR
        if (length >= NOT_MOVED && dataEnd !== i) {
          if (dataEnd > dataStart) sink(chunk.subarray(dataStart, dataEnd))
          dataStart = dataEnd = i
        }
        if (dataStart === dataEnd) dataStart = dataEnd = i
        if (dataEnd !== i) chunk.copyWithin(dataEnd, i, i + length)
        dataEnd += length
        i += length
      }
    } finally {
      span.start = i
      // Also what came before a mistake.
      if (dataEnd > dataStart) sink(chunk.subarray(dataStart, dataEnd))
    }
  }

  /** Everything except data, byte by byte: in large bodies it is the smaller part. */
  #takeByte(byte: number): void {
    switch (this.#phase) {
      case SIZE_START:
      case SIZE: {
        const digit = HEX_DIGIT_PLUS_ONE[byte]! - 1
        if (digit >= 0) this.#takeDigit(digit)
        else if (this.#phase === SIZE_START)
          throw badChunk('bad-chunk-size', 'A chunk size begins with', byte)
        else if (isSpace(byte)) this.#takeSpace(SIZE_SPACE)
        else this.#endSize(byte, 'bad-chunk-size', 'A chunk size is followed by')
        return
      }
      case SIZE_SPACE:
        if (isSpace(byte)) this.#takeSpace(SIZE_SPACE)
        else if (byte === SEMICOLON) this.#beginExtension()
        else throw badChunk('bad-chunk-size', 'A chunk size and white space are followed by', byte)
        return
      case SIZE_LF:
        if (byte !== LF) throw badChunk('bare-cr', 'The CR after a chunk size is followed by', byte)
        this.#phase = this.#remaining === 0 ? TRAILER_START : DATA
        return

      case EXTENSION_START:
        this.#countExtension()
        if (isSpace(byte)) return // BWS, as wherever a space is taken below
        if (TOKEN_LOWER[byte] === 0) throw badExtension(byte)
        this.#phase = EXTENSION_NAME
        return
      case EXTENSION_NAME:
        if (TOKEN_LOWER[byte] !== 0) {
          this.#countExtension()
        } else if (byte === EQUALS) {
          this.#countExtension()
          this.#phase = EXTENSION_VALUE_START
        } else {
          this.#endExtension(byte, EXTENSION_NAME_SPACE)
        }
        return
      case EXTENSION_NAME_SPACE:
        this.#countExtension()
        if (byte === EQUALS) this.#phase = EXTENSION_VALUE_START
        else if (byte === SEMICOLON) this.#phase = EXTENSION_START
        else if (!isSpace(byte)) throw badExtension(byte)
        return
      case EXTENSION_VALUE_START:
        this.#countExtension()
        if (isSpace(byte)) return
        if (byte === QUOTE) this.#phase = EXTENSION_QUOTED
        else if (TOKEN_LOWER[byte] !== 0) this.#phase = EXTENSION_VALUE
        else throw badExtension(byte)
        return
      case EXTENSION_VALUE:
        if (TOKEN_LOWER[byte] !== 0) this.#countExtension()
        else this.#endExtension(byte, EXTENSION_VALUE_SPACE)
        return
      case EXTENSION_QUOTED:
        this.#countExtension()
        if (byte === QUOTE) this.#phase = EXTENSION_VALUE_END
        else if (byte === BACKSLASH) this.#phase = EXTENSION_QUOTED_PAIR
        else if (QUOTED_TEXT[byte] === 0) throw badExtension(byte)
        return
      case EXTENSION_QUOTED_PAIR:
        this.#countExtension()
        if (FIELD_VALUE[byte] === 0) throw badExtension(byte)
        this.#phase = EXTENSION_QUOTED
        return
      case EXTENSION_VALUE_END:
        this.#endExtension(byte, EXTENSION_VALUE_SPACE)
        return
      case EXTENSION_VALUE_SPACE:
        this.#countExtension()
        if (byte === SEMICOLON) this.#phase = EXTENSION_START
        else if (!isSpace(byte)) throw badExtension(byte)
        return

      case DATA_CR:
        if (byte === LF)
          throw new HttpError(400, 'bare-lf', 'The data of a chunk ends with LF, not CRLF')
        if (byte !== CR) throw badChunk('bad-chunk-end', 'The data of a chunk is followed by', byte)
        this.#phase = DATA_LF
        return
      case DATA_LF:
        if (byte !== LF)
          throw badChunk('bare-cr', 'The CR after the data of a chunk is followed by', byte)
        this.#phase = SIZE_START
        this.#digits = 0
        return

      default:
        this.#takeTrailerByte(byte)
    }
  }

  #takeDigit(digit: number): void {
    this.#digits++
    if (this.#digits > CHUNK_SIZE_DIGITS || this.#remaining > (LARGEST_CHUNK - digit) / 16) {
      throw new HttpError(
        400,
        'chunk-size-too-large',
        'A chunk size is too large or has too many digits',
      )
    }
    this.#remaining = this.#remaining * 16 + digit
    this.#phase = SIZE
  }

  /** A byte after which no more of the size or of an extension can follow. */
  #endSize(byte: number, code: string, what: string): void {
    if (byte === CR) {
      this.#phase = SIZE_LF
    } else if (byte === SEMICOLON) {
      this.#beginExtension()
    } else if (byte === LF) {
      throw new HttpError(400, 'bare-lf', 'A chunk size ends with LF, not CRLF')
    } else {
      throw badChunk(code, what, byte)
    }
  }

  /**
   * A byte after which no more of an extension's name or value can follow; `spaces` is the phase
   * for white space.
   */
  #endExtension(byte: number, spaces: number): void {
    if (isSpace(byte)) this.#takeSpace(spaces)
    else this.#endSize(byte, 'bad-chunk-extension', 'A chunk extension has')
  }

  #beginExtension(): void {
    this.#countExtension()
    this.#phase = EXTENSION_START
  }

  #takeSpace(phase: number): void {
    this.#countExtension()
    this.#phase = phase
  }

  #countExtension(): void {
    this.#extensionBytes++
    if (this.#extensionBytes > CHUNK_EXTENSION_BYTES) {
      throw new HttpError(
        400,
        'chunk-extensions-too-long',
        `The body has more than ${CHUNK_EXTENSION_BYTES} bytes of chunk extensions`,
      )
    }
  }

  /**
   * The trailer section, RFC 9112 §7.1.2: the rules of a head's field lines, each byte on its own.
   */
  #takeTrailerByte(byte: number): void {
    this.#trailerBytes++
    if (this.#trailerBytes > this.#headLimit) {
      throw new HttpError(
        431,
        'head-too-large',
        'The trailer section is larger than ' +
          `${limitText(this.#headLimit, 'bytes', 'limit_request_head', HEAD_CEILING)}`,
      )
    }
    switch (this.#phase) {
      case TRAILER_START:
        if (byte === CR) {
          this.#phase = LAST_LF
          return
        }
        if (byte === SP || byte === HTAB) {
          throw new HttpError(
            400,
            'obs-fold',
            'A line of the trailer section begins with white space',
          )
        }
        if (this.#trailers === this.#fieldsLimit) {
          throw new HttpError(
            431,
            'too-many-fields',
            'The trailer section has more than ' +
              `${limitText(this.#fieldsLimit, 'fields', 'limit_request_fields', FIELDS_CEILING)}`,
          )
        }
        this.#trailers++
        this.#lineBytes = 0
        this.#phase = TRAILER_NAME
        this.#takeTrailerNameByte(byte)
        return
      case TRAILER_NAME:
        this.#takeTrailerNameByte(byte)
        return
      case TRAILER_VALUE:
        if (byte === CR) {
          this.#phase = TRAILER_LF
          return
        }
        this.#countTrailerByte()
        if (byte === LF)
          throw new HttpError(400, 'bare-lf', 'A trailer field ends with LF, not CRLF')
        if (FIELD_VALUE[byte] === 0) {
          throw new HttpError(
            400,
            'bad-field-value',
            `The value of a trailer field has the byte ${quoteByte(byte)}`,
          )
        }
        return
      case TRAILER_LF:
        if (byte !== LF)
          throw badChunk('bare-cr', 'The CR after a trailer field is followed by', byte)
        this.#phase = TRAILER_START
        return
      case LAST_LF:
        if (byte !== LF)
          throw badChunk('bare-cr', 'The CR after the trailer section is followed by', byte)
        this.#phase = DONE
    }
  }

  #takeTrailerNameByte(byte: number): void {
    this.#countTrailerByte()
    if (TOKEN_LOWER[byte] !== 0) return
    if (byte === LF)
      throw new HttpError(400, 'bare-lf', 'A line of the trailer section ends with LF')
    if (byte === CR)
      throw new HttpError(400, 'no-colon', 'A line of the trailer section has no colon')
    if (byte === SP || byte === HTAB) {
      throw new HttpError(
        400,
        'space-before-colon',
        'The name of a trailer field is followed by white space',
      )
    }
    if (byte !== COLON) {
      throw new HttpError(
        400,
        'bad-field-name',
        `The name of a trailer field has the byte ${quoteByte(byte)}`,
      )
    }
    if (this.#lineBytes === 1) {
      throw new HttpError(400, 'empty-field-name', 'There is a trailer field without a name')
    }
    this.#phase = TRAILER_VALUE
  }

  #countTrailerByte(): void {
    this.#lineBytes++
    if (this.#lineBytes > this.#fieldSizeLimit - 2) {
      throw new HttpError(
        431,
        'field-too-long',
        'A trailer field line is longer than ' +
          limitText(this.#fieldSizeLimit, 'bytes', 'limit_request_field_size', FIELD_SIZE_CEILING),
      )
    }
  }
}

function badChunk(code: string, what: string, byte: number): HttpError {
  return new HttpError(400, code, `${what} ${describeByte(byte)}`)
}

function badExtension(byte: number): HttpError {
  return badChunk('bad-chunk-extension', 'A chunk extension has', byte)
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB
}

function describeByte(byte: number): string {
  return byte === SP ? 'a space' : `the byte ${quoteByte(byte)}`
}
