import type { Span } from '../../bytes/span.ts'
import type { BodyReceiver } from './body-receiver.ts'

/**
 * A body whose length Content-Length gives (RFC 9112 §6.2).
 *
 * @example
 * ```ts
 * const body = new FixedLengthBody(5)
 * const bytes = Buffer.from('helloGET /')
 * body.receive(new Span().set(bytes, 0, 10), (data) => parts.push(data)) // takes 5
 * body.done // true
 * ```
 */
export class FixedLengthBody implements BodyReceiver {
  /** How many bytes are still to come. */
  remaining: number

  /** @param length in bytes */
  constructor(length: number) {
    this.remaining = length
  }

  get done(): boolean {
    return this.remaining === 0
  }

  receive(chunk: Span, sink: (data: Buffer) => void): void {
    const { bytes, start } = chunk
    const length = Math.min(this.remaining, chunk.end - start)
    if (length === 0) return
    this.remaining -= length
    chunk.start = start + length
    sink(start === 0 && length === bytes.length ? bytes : bytes.subarray(start, start + length))
  }
}
