/** How many file descriptors a process may have (`ulimit -n`). */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** With fewer, an acceptor cannot even read its own modules, which Node opens at the same time. */
const LEAST = 96

export const HOW_TO_RAISE =
  'Raise that limit where you start the server ' +
  '(ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker).'

/**
 * How many descriptors this process may have open (RLIMIT_NOFILE); Infinity if there is no limit or
 * it is unknown. Node raises the soft limit to the hard one when it starts, so this is usually the
 * hard limit.
 */
export function descriptorLimit(): number {
  return parseLimit(process.platform === 'linux' ? linuxLimit() : shellLimit())
}

function linuxLimit(): string {
  try {
    return /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? ''
  } catch {
    return ''
  }
}

/** A child process inherits the limit. */
function shellLimit(): string {
  return (
    spawnSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'latin1', timeout: 5000 }).stdout ?? ''
  )
}

function parseLimit(text: string): number {
  return /^\s*[1-9][0-9]*\s*$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}

/** Why a server cannot start with this limit, and what to do; null if it can. Only on Linux. */
export function tooFewDescriptors(): string | null {
  // Elsewhere it would take another process to know.
  const limit = process.platform === 'linux' ? descriptorLimit() : LEAST
  if (limit >= LEAST) return null
  const needs = `a process may have ${limit} files open, and the server needs at least ${LEAST}.`
  return `${needs} ${HOW_TO_RAISE}`
}

/** Whether an error says that no more files can be opened, in this process or on the machine. */
export function isShortOfDescriptors(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EMFILE' || code === 'ENFILE'
}
