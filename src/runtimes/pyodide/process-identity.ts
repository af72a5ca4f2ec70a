import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, uptime } from 'node:os'

/**
 * Which process it is: its number alone does not say, for numbers are given again. In a container
 * the same program gets the same number at each start.
 */
export interface ProcessIdentity {
  readonly pid: number
  /** Which start of which machine. */
  readonly boot: string
  /** In which PID namespace the number is meant: containers have one each. */
  readonly namespace: string
  /** When the process started. '0' where it cannot be known. */
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
      // A /proc without these.
    }
  }
  const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 12)
  return { pid, boot: host, namespace: '0', start: '0' }
}

/** One line without blanks, for a file. */
export function identityText({ pid, boot, namespace, start }: ProcessIdentity): string {
  return `${pid}@${boot}.${namespace}.${start}`
}

/** Null for what is no such text. */
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
 * Whether a process that has left its name somewhere is no more. Null: it is in another PID
 * namespace or on another machine, and the kernel cannot be asked. In doubt it lives.
 *
 * @param named when it left its name, in milliseconds since 1970
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
  // Nothing but the number; before the machine was started it was another's. A minute for clocks
  // that were set.
  if (owner.start === '0') return named < Date.now() - uptime() * 1000 - 60_000
  // Numbers in the /proc of another PID namespace are those of other processes.
  if (!numbersAreOurs()) return false
  const found = processStatus(String(owner.pid))
  if (found === null) return false
  // All its threads have ended, also the one that was still inside of a call of the system.
  return found.start !== owner.start || (/[ZX]/.test(found.state) && found.threads <= 1)
}

/**
 * Whether `/proc` has processes by the numbers that they have for us: not where it is that of a PID
 * namespace around ours.
 */
function numbersAreOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid)
  } catch {
    return false
  }
}

/**
 * proc_pid_stat(5): the state, the number of threads, and when it started, in ticks since the
 * machine did.
 */
function processStatus(pid: string): { state: string; threads: number; start: string } | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return null
  }
  // The second field is a name in parentheses, which may have anything in it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, threads, start] = [fields[0], fields[17], fields[19]]
  if (state === undefined || start === undefined) return null
  return { state, threads: Number(threads), start: Number(start).toString(36) }
}
