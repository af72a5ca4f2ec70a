/**
 * The part of Node's `Buffer` that the HTTP engine uses, and small programs such as the server of
 * step 3. Importing this module defines the global `Buffer`, so import it before the engine.
 */

type Encoding = 'latin1' | 'binary' | 'ascii' | 'utf8' | 'utf-8'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export class PageBuffer extends Uint8Array {
  static alloc(size: number): PageBuffer {
    return new PageBuffer(size)
  }

  static allocUnsafe(size: number): PageBuffer {
    return new PageBuffer(size)
  }

  static allocUnsafeSlow(size: number): PageBuffer {
    return new PageBuffer(size)
  }

  static override from(
    value: string | ArrayBufferLike | ArrayLike<number> | Iterable<number>,
    encodingOrOffset: unknown = 'utf8',
    length?: unknown,
  ): PageBuffer {
    if (value instanceof ArrayBuffer) {
      const offset = typeof encodingOrOffset === 'number' ? encodingOrOffset : 0
      return new PageBuffer(value, offset, length as number | undefined)
    }
    const bytes =
      typeof value === 'string'
        ? encode(value, encodingOrOffset as Encoding)
        : Uint8Array.from(value as Iterable<number>)
    const buffer = new PageBuffer(bytes.length)
    buffer.set(bytes)
    return buffer
  }

  static concat(parts: readonly Uint8Array[]): PageBuffer {
    const whole = new PageBuffer(parts.reduce((size, { length }) => size + length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  static isBuffer(value: unknown): value is PageBuffer {
    return value instanceof PageBuffer
  }

  static byteLength(text: string, encoding: Encoding = 'utf8'): number {
    return encode(text, encoding).length
  }

  override toString(encoding: string = 'utf8', start = 0, end = this.length): string {
    const part = this.subarray(start, end)
    if (encoding === 'utf8' || encoding === 'utf-8') return utf8.decode(part)
    return latin1Text(part)
  }

  latin1Slice(start = 0, end = this.length): string {
    return latin1Text(this.subarray(start, end))
  }

  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, index) => byte === other[index])
  }

  copy(target: Uint8Array, at = 0, start = 0, end = this.length): number {
    const part = this.subarray(start, Math.min(end, start + target.length - at))
    target.set(part, at)
    return part.length
  }
}

/** Each byte as one character. */
export function latin1Text(bytes: Uint8Array): string {
  let text = ''
  // In pieces: the number of arguments of a call is limited.
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return text
}

/** Each character as one byte; the upper half of one beyond U+00FF is lost, as in Node. */
export function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: text.length }, (_, index) => text.charCodeAt(index) & 0xff)
}

function encode(text: string, encoding: Encoding): Uint8Array {
  return encoding === 'utf8' || encoding === 'utf-8'
    ? new TextEncoder().encode(text)
    : latin1Bytes(text)
}

const global = globalThis as { Buffer?: unknown }
global.Buffer ??= PageBuffer

// The settings ask for the platform, for defaults that no page uses.
const withProcess = globalThis as { process?: unknown }
withProcess.process ??= { env: {}, platform: 'linux', cwd: () => '/tutorial' }
