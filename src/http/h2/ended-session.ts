import type { Traffic } from './abuse.ts'

/**
 * Notices that a session has ended because its client broke a rule of HTTP/2.
 *
 * nghttp2 then sends a GOAWAY, and neither reads nor writes any more; Node.js tells nobody. So when
 * a client has sent something and then falls silent, a PING is sent, which such a session drops. It
 * drops the GOAWAY of a server that stops as well.
 */
export class EndedSessionWatch {
  /** Bytes from the client at the last look. */
  #read = 0
  /** The same without the answer to a PING, when the session was last seen to live. */
  #readWhenAlive = 0
  /** Bytes that had been sent when PING or GOAWAY was given to the session; -1 if there is none. */
  #writtenBefore = -1
  /** The session has not had a whole tick to write it. */
  #leaves = false

  /**
   * Looks at what has come since the last call. Not to be called while the socket takes nothing.
   * @param ping sends a PING, and says whether that is possible; `answered` is called when the
   * answer has come, which has `PING_SIZE` bytes
   * @returns whether the session has ended
   */
  look(traffic: Traffic, ping: (answered: (bytes: number) => void) => boolean): boolean {
    const { bytesRead } = traffic
    const silent = bytesRead === this.#read
    this.#read = bytesRead
    if (this.#leaves) {
      this.#leaves = false
      return false
    }
    if (this.#writtenBefore !== -1) {
      const ended = silent && traffic.bytesWritten === this.#writtenBefore
      this.#writtenBefore = -1
      return ended
    }
    if (!silent || bytesRead === this.#readWhenAlive) return false
    this.#readWhenAlive = bytesRead
    const written = traffic.bytesWritten
    const sent = ping((bytes) => {
      this.#readWhenAlive += bytes
    })
    if (sent) this.#writtenBefore = written
    return false
  }

  /**
   * Call it when a GOAWAY is given to the session, which answers no PING any more after that.
   * @param written bytes that had been sent before
   */
  expectGoaway(written: number): void {
    this.#writtenBefore = written
    this.#leaves = true
  }
}
