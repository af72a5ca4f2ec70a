/** Takes the bytes of a request's body from those that arrive on a connection. */
export interface BodyReceiver {
  /**
   * Reads bytes `[start, end)` of `chunk` and hands the body's bytes to `sink`, as views of
   * `chunk`, in order; a view is never empty. The bytes taken may be moved within `chunk`.
   *
   * @returns how many bytes were taken; never any beyond the end of the body
   * @throws HttpError when the framing is malformed; nothing can be read from the connection after
   * that
   */
  receive(chunk: Buffer, start: number, end: number, sink: (data: Buffer) => void): number
  /** The body has been read to its end. */
  readonly done: boolean
}
