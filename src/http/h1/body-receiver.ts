import type { Span } from '../../bytes/span.ts'

/** Takes the bytes of a request's body from those that arrive on a connection. */
export interface BodyReceiver {
  /**
   * Reads from the beginning of `chunk`, moves its `start` past what was taken (never beyond the
   * end of the body), and hands the body's bytes to `sink`: views of the same memory, in order,
   * never empty. The bytes taken may be moved within that memory.
   *
   * @throws HttpError when the framing is malformed; nothing can be read from the connection after
   * that
   */
  receive(chunk: Span, sink: (data: Buffer) => void): void
  /** The body has been read to its end. */
  readonly done: boolean
}
