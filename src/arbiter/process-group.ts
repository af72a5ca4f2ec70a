/** Process groups: an acceptor leads one of its own, in which its workers are too, so that all of them can be ended together. */
import { setTimeout as sleep } from 'node:timers/promises'

/** How often a group is looked at, in milliseconds. */
const interval = 20

/** Sends a signal to all processes of a group; false when it has none. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    // EPERM: there is a process, of another user (an application may have changed its user).
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Resolves with true as soon as the group has no process, or with false at `deadline()` (milliseconds of `performance.now()`, asked again and again). */
export async function groupGone(leader: number, deadline: () => number): Promise<boolean> {
  for (;;) {
    if (!signalGroup(leader, 0)) return true
    const left = deadline() - performance.now()
    if (left <= 0) return false
    await sleep(Math.min(interval, left))
  }
}
