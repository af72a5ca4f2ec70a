import type { Socket } from 'node:net'

/** A client's socket for another process, and what that process has to write. */
export interface LentSocket {
  readonly socket: Socket
  /** Bytes to be written before the body, as latin-1 text: the head of the response, or nothing. */
  readonly before: string
}
