/** How often a client that holds memory is checked while no memory is left, in milliseconds. */
const LOOK_MS = 1000
/** The rate at which it must take and send, in bytes a second. */
const LEAST_RATE = 16 * 1024

/** Whether a client makes progress; used while no memory is left. */
export class Progress {
  #lookedAt = Number.POSITIVE_INFINITY
  #doneThen = 0

  /**
   * Checks a client; at most once a second.
   *
   * @param done bytes that it has taken and sent, ever
   * @param now milliseconds
   * @returns how little it has done since the last look; null if it has done enough, or has not
   * been looked at within the last four seconds
   */
  look(done: number, now: number): { bytes: number; milliseconds: number } | null {
    const since = now - this.#lookedAt
    if (since >= 0 && since < LOOK_MS) return null
    const bytes = done - this.#doneThen
    this.#lookedAt = now
    this.#doneThen = done
    if (!(since >= LOOK_MS) || since > 4 * LOOK_MS) return null
    if (bytes >= (LEAST_RATE * since) / 1000) return null
    return { bytes, milliseconds: Math.round(since) }
  }
}
