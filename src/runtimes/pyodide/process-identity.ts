import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, uptime } from 'node:os'

/**
 * Identifies a process. Its number alone is not enough, because numbers are reused: in a container,
 * a program gets the same number at each start.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Identifies the machine and its last start. */
  readonly boot: string
  /** The PID namespace of the number. Each container has its own. */
  readonly namespace: string
  /** When the process started; '0' if that is not known. */
  readonly start: string
}

const TEXT = /^(\d+)@([\w-]+)\.(\w+)\.(\w+)$/

/** This process. */
export function processIdentity(): ProcessIdentity {
  const { pid } = process
  const status = processStatus('self')
  if (status !== null) {
    try {
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1')
        .replaceAll('-', '')
        .slice(0, 12)
      const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]
      if (namespace !== undefined) {
        const start = numbersAreOurs() ? status.start : '0'
        return { pid, boot, namespace: Number(namespace).toString(36), start }
      }
    } catch {
      // This /proc does not have these files.
    }
  }
  const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 12)
  return { pid, boot: host, namespace: '0', start: '0' }
}

/** An identity as one line without blanks, for a file. */
export function identityText({ pid, boot, namespace, start }: ProcessIdentity): string {
  return `${pid}@${boot}.${namespace}.${start}`
}

/** Reads the text of an identity. Null if it is not one. */
export function parseIdentity(text: string): ProcessIdentity | null {
  const parts = TEXT.exec(text.trimEnd())
  if (parts === null) return null
  const [, pid, boot, namespace, start] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
  ]
  return { pid: Number(pid), boot, namespace, start }
}

/**
 * Whether a process that wrote its identity to a file has ended. In doubt it has not.
 *
 * @param named when it wrote its identity, in milliseconds since 1970
 * @returns null if the process is in another PID namespace or on another machine, about which the
 * kernel cannot tell
 */
export function hasEnded(
  owner: ProcessIdentity,
  named: number,
  own: ProcessIdentity = processIdentity(),
): boolean | null {
  if (owner.boot !== own.boot || owner.namespace !== own.namespace) return null
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true
  }
  // Only the number is known. If the file is older than the machine's start, the number was that
  // of another process. One minute is allowed for a clock that was set.
  if (owner.start === '0') return named < Date.now() - uptime() * 1000 - 60_000
  // In the /proc of another PID namespace, the numbers are those of other processes.
  if (!numbersAreOurs()) return false
  const found = processStatus(String(owner.pid))
  if (found === null) return false
  // With one thread left, all threads have ended, including one that was in a system call.
  return found.start !== owner.start || (/[ZX]/.test(found.state) && found.threads <= 1)
}

/**
 * Whether the numbers in `/proc` are those of this process's PID namespace. They are not if `/proc`
 * belongs to an outer namespace.
 */
function numbersAreOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid)
  } catch {
    return false
  }
}

/**
 * proc_pid_stat(5): the state, the number of threads, and the start time in ticks since the machine
 * was started.
 */
function processStatus(pid: string): { state: string; threads: number; start: string } | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The second field is a name in parentheses, which may contain any character.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, threads, start] = [fields[0], fields[17], fields[19]]
  if (state === undefined || start === undefined) return null
  return { state, threads: Number(threads), start: Number(start).toString(36) }
}
