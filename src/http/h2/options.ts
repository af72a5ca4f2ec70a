/** What the server tells an HTTP/2 client to keep to (RFC 9113 §6.5.2). */
export interface Http2Options {
  /** Exchanges that a client may have under way at once on a connection. */
  readonly maxConcurrentStreams: number
  /** How much of each request body a client may send ahead of the application, in bytes. */
  readonly initialWindowSize: number
  /** The largest frame that a client may send, in bytes. */
  readonly maxFrameSize: number
  /** The largest request head that is announced, in bytes; the limits on heads apply as well. */
  readonly maxHeaderListSize: number
}

/** The values of the settings' defaults, which are Gunicorn's. */
export const DEFAULT_HTTP2_OPTIONS: Http2Options = {
  maxConcurrentStreams: 100,
  initialWindowSize: 65535,
  maxFrameSize: 16384,
  maxHeaderListSize: 65536,
}
