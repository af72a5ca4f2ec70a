import type { BodyReceiver } from './body-receiver.ts'

export type { BodyReceiver }

/**
 * A body whose length Content-Length gives (RFC 9112 §6.2).
 *
 * @example
 * ```ts
 * const body = new FixedLengthBody(5)
 * body.receive(Buffer.from('helloGET /'), 0, 10, (data) => parts.push(data)) // 5
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

  receive(chunk: Buffer, start: number, end: number, sink: (data: Buffer) => void): number {
    const length = Math.min(this.remaining, end - start)
    if (length === 0) return 0
    this.remaining -= length
    sink(start === 0 && length === chunk.length ? chunk : chunk.subarray(start, start + length))
    return length
  }
}
