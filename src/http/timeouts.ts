/** How long a client may take for each step, in seconds. 0 disables a timeout. */
export interface Timeouts {
  /** From the first byte of a head to its end. */
  readonly header: number
  /** A body must keep to its rate in each such period. */
  readonly body: number
  /** From the head to the end of the body. */
  readonly wholeBody: number
  /** From one answer to the next request of the same connection. */
  readonly keepAlive: number
  /** A response must be taken at its rate in each such period. */
  readonly write: number
}

/**
 * How fast a client must be at least, in bytes per second on average over a timeout. 0 asks for
 * any progress at all.
 */
export interface Rates {
  readonly body: number
  readonly write: number
}
