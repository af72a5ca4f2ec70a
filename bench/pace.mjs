import { sum } from './table.mjs'

/**
 * Keeps a run within its time: where machine or servers are slower than planned, cases have fewer
 * rounds, and never none.
 */
export class Pace {
  #now
  #started
  #deadline
  #ahead
  /** Seconds that the rounds which were allowed so far should have taken. */
  #planned = 0

  /**
   * @param {object} run
   * @param {number} run.seconds How long it may take; Infinity for as long as it takes.
   * @param {number[]} run.estimates Seconds of each step with all its rounds, in order.
   * @param {() => number} [run.now] Seconds since any moment.
   */
  constructor({ seconds, estimates, now = () => performance.now() / 1000 }) {
    this.#now = now
    this.#started = now()
    this.#deadline = this.#started + seconds
    this.#ahead = [...estimates]
  }

  /**
   * How many rounds the next step may have.
   *
   * @param {number} wanted
   */
  rounds(wanted) {
    const now = this.#now()
    // What has taken longer than planned so far will go on so.
    const slowness = this.#planned === 0 ? 1 : Math.max(1, (now - this.#started) / this.#planned)
    const ahead = sum(this.#ahead) * slowness
    const share = ahead === 0 ? 1 : (this.#deadline - now) / ahead
    // The last bit is forgiven: what one step saves by its round down, the next have.
    const rounds = Math.min(wanted, Math.max(1, Math.floor(wanted * share + 0.2)))
    this.#planned += ((this.#ahead.shift() ?? 0) * rounds) / wanted
    return rounds
  }
}
