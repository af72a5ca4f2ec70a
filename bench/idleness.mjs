/**
 * Waiting until a server has nothing to do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { exactTime } from './process-tree.mjs'

const LOOK_MS = 50
/** Timers and housekeeping of all its processes together stay below this part of one processor. */
const IDLE = 0.05

/**
 * Resolves when a tree of processes has rested for a moment (50 ms). After a turn with many
 * connections a server may have hundreds of requests left whose clients are gone, and most run them
 * all: for seconds, in the next one's turn.
 *
 * @param {number} root
 * @param {object} options
 * @param {number} options.limit Seconds after which it resolves anyhow.
 * @param {AbortSignal} options.signal
 * @returns {Promise<number>} The seconds that it had been busy for.
 */
export async function idle(root, { limit, signal }) {
  const start = performance.now()
  for (let before = exactTime(root), at = start; ; ) {
    await sleep(LOOK_MS, undefined, { signal })
    const now = performance.now()
    const used = exactTime(root)
    const busy = used - before > (IDLE * (now - at)) / 1000
    if (!busy || now - start > limit * 1000)
      return busy ? (now - start) / 1000 : (at - start) / 1000
    before = used
    at = now
  }
}
