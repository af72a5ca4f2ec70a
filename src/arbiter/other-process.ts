/**
 * What can be learned of a process that is not ours: from `/proc` on Linux, from ps(1) elsewhere.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/**
 * Ticks a second of the times in `/proc` (USER_HZ); the same on every processor that Node runs on.
 */
const TICKS = 100

/**
 * Whether a process of that number runs. kill(2) alone does not tell: it finds threads by their
 * numbers too, and processes that have ended but whose parent has not asked how (zombies, as there
 * are in containers without an init).
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const status = read(`/proc/${pid}/status`)
  const group = /^Tgid:\s*(\d+)/m.exec(status)
  return (group === null || Number(group[1]) === pid) && !/^State:\s*[ZX]/m.test(status)
}

/** How it was started: the program and its arguments; [] where that cannot be read. */
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
 * Whether that is a Monoceros: the command by its name, by the file behind it, or the program that
 * this process runs.
 */
export function isMonoceros(
  command: readonly string[],
  own: string | undefined = process.argv[1],
): boolean {
  // Behind the interpreter, its options and the script are arguments, which may name anything.
  const script = command.findIndex((it, at) => at > 0 && !it.startsWith('-'))
  const parts = command.slice(0, Math.max(script, 0) + 1)
  return parts.some(
    (it) => it === own || basename(it) === 'monoceros' || /(^|\/)dist\/cli\/main\.js$/.test(it),
  )
}

/**
 * For how long a process has been running, in seconds; undefined where that cannot be known. No
 * clock that can be set is asked.
 */
export function secondsAlive(pid: number): number | undefined {
  const theirs = startTicks(pid)
  const ours = startTicks(process.pid)
  if (theirs === undefined || ours === undefined) return undefined
  return process.uptime() + (ours - theirs) / TICKS
}

/**
 * When it was started, in ticks since the machine was; field 22 of proc(5), counted from behind the
 * name, which may hold anything.
 */
function startTicks(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
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
