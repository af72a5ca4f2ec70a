/** Facts about another process: from `/proc` on Linux, from ps(1) elsewhere. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** Ticks per second of times in `/proc` (USER_HZ); the same on all platforms of Node. */
export const TICKS = 100

/**
 * Whether a process with this number runs. kill(2) alone is not enough: it also finds threads by
 * their numbers, and zombies, which are common in containers without an init process.
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const status = read(`/proc/${pid}/status`)
  const group = /^Tgid:\s*(\d+)/m.exec(status)
  return (group === null || Number(group[1]) === pid) && !/^State:\s*[ZX]/m.test(status)
}

/** The program and its arguments; empty if they cannot be read. */
export function commandLine(pid: number): string[] {
  if (process.platform === 'linux')
    return read(`/proc/${pid}/cmdline`)
      .split('\0')
      .filter((it) => it !== '')
  const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], {
    encoding: 'utf8',
    timeout: 5000,
  })
  return (stdout ?? '')
    .trim()
    .split(/\s+/)
    .filter((it) => it !== '')
}

/**
 * Whether a command line is that of Monoceros: the command's name, the file behind it, or the
 * program that this process runs.
 */
export function isMonoceros(
  command: readonly string[],
  own: string | undefined = process.argv[1],
): boolean {
  // Its title (`process-title.ts`) replaces the command line.
  if (/^monoceros: (master|acceptor|worker) \[/.test(command.join(' '))) return true
  // Only the interpreter, its options and the script count; arguments may be anything.
  const script = command.findIndex((it, at) => at > 0 && !it.startsWith('-'))
  const parts = command.slice(0, Math.max(script, 0) + 1)
  return parts.some(
    (it) => it === own || basename(it) === 'monoceros' || /(^|\/)dist\/cli\/main\.js$/.test(it),
  )
}

/**
 * How long a process has been running, in seconds; undefined if unknown. It does not depend on
 * clocks that can be set.
 */
export function secondsAlive(pid: number): number | undefined {
  const theirs = startTicks(pid)
  const ours = startTicks(process.pid)
  if (theirs === undefined || ours === undefined) return undefined
  return process.uptime() + (ours - theirs) / TICKS
}

/** Whether this process is in the foreground of a terminal, which then sends signals to it. */
export function isInForeground(): boolean {
  const fields = statFields('self')
  if (fields.length === 0)
    return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  // State, parent, group, session, terminal, and the foreground group of that.
  const [, , group, , , foreground] = fields
  return group === foreground
}

/** Whether a process is stopped by a signal (SIGSTOP); false if that is not known. */
export function isStopped(pid: number): boolean {
  return statFields(pid)[0] === 'T'
}

/**
 * The fields of proc_pid_stat(5) from the third one, the state: those after the name, which may
 * contain anything. None if there is no such process, or no /proc.
 */
export function statFields(pid: number | 'self'): string[] {
  const stat = read(`/proc/${pid}/stat`)
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The start time in ticks since boot: field 22. */
function startTicks(pid: number): number | undefined {
  const fields = statFields(pid)
  const ticks = Number(fields[19])
  return fields.length > 19 && Number.isFinite(ticks) ? ticks : undefined
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
