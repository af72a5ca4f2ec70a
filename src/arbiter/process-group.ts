/**
 * Process groups. An acceptor leads a group of its own, which includes its workers, so that all of
 * them can be ended together.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { statFields } from '../process/other-process.ts'

/** How often a group is checked, in milliseconds: first, and later. */
const SHORT_INTERVAL_MS = 10
const LONG_INTERVAL_MS = 100

/** Sends a signal to all processes of a group; false if there are none. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    // EPERM: there is a process of another user (an application may have changed its user).
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Resolves with true as soon as no process of the group runs, or with false at the deadline.
 *
 * @param deadline returns a time of `performance.now()`; it is called repeatedly, as it may change
 */
export async function groupGone(leader: number, deadline: () => number): Promise<boolean> {
  for (let interval = SHORT_INTERVAL_MS; ; interval = Math.min(interval * 1.5, LONG_INTERVAL_MS)) {
    if (!groupRuns(leader)) return true
    const left = deadline() - performance.now()
    if (left <= 0) return false
    await sleep(Math.min(interval, left))
  }
}

/**
 * Whether a process of the group runs. Zombies do not count: orphans of an acceptor belong to
 * process 1, and in a container that may be this process or one that never reaps them.
 */
function groupRuns(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false
  if (process.platform !== 'linux') return true
  try {
    const inGroup =
      readlinkSync('/proc/self') === String(process.pid) ? runsInGroup : runsInGroupOfOurs
    return readdirSync('/proc').some((name) => /^[0-9]+$/.test(name) && inGroup(name, leader))
  } catch {
    // There is no /proc, so any process that can be signalled counts.
    return true
  }
}

function runsInGroup(pid: string, leader: number): boolean {
  const [state, , group] = statFields(Number(pid))
  return Number(group) === leader && state !== 'Z' && state !== 'X'
}

/**
 * The same if `/proc` belongs to an outer PID namespace, which has other numbers. A process lists
 * its numbers in all namespaces; ours come last (proc_pid_status(5), `NSpgid`).
 */
function runsInGroupOfOurs(pid: string, leader: number): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== readlinkSync('/proc/self/ns/pid')) return false
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const groups = /^NSpgid:(.*)$/m.exec(status)?.[1]?.trim().split(/\s+/) ?? []
    return Number(groups.at(-1)) === leader && !/^State:\s*[ZX]/m.test(status)
  } catch {
    return false
  }
}
