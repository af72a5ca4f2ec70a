/**
 * Process groups: an acceptor leads one of its own, in which its workers are too, so that all of
 * them can be ended together.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** How often a group is looked at, in milliseconds: at first, and after a while. */
const shortInterval = 10
const longInterval = 100

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

/**
 * Resolves with true as soon as no process of the group runs, or with false at `deadline()`, which
 * is asked again and again: milliseconds of `performance.now()`.
 */
export async function groupGone(leader: number, deadline: () => number): Promise<boolean> {
  for (let interval = shortInterval; ; interval = Math.min(interval * 1.5, longInterval)) {
    if (!groupRuns(leader)) return true
    const left = deadline() - performance.now()
    if (left <= 0) return false
    await sleep(Math.min(interval, left))
  }
}

/**
 * Whether a process of the group runs. Zombies do not: orphans of an acceptor belong to process 1,
 * which in a container may be this one or another that never reaps them, and they would be waited
 * for in vain.
 */
function groupRuns(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false
  if (process.platform !== 'linux') return true
  try {
    const inGroup =
      readlinkSync('/proc/self') === String(process.pid) ? runsInGroup : runsInGroupOfOurs
    return readdirSync('/proc').some((name) => /^[0-9]+$/.test(name) && inGroup(name, leader))
  } catch {
    // No /proc here: what answers to signals counts.
    return true
  }
}

function runsInGroup(pid: string, leader: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // `pid (name) state parent group …`, where the name may hold anything.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(group) === leader && state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
}

/**
 * The same where `/proc` is that of a PID namespace around ours: numbers there are other ones, and
 * ours are the last of those that a process has (proc_pid_status(5), `NSpgid`).
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
