import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'

/** Facts about this process and thread, for python/monoceros_pyodide/host_facts.py. */
export function hostFacts() {
  return {
    pid: process.pid,
    ppid: process.ppid,
    thread: threadNumber(),
    uid: process.getuid?.() ?? 0,
    euid: process.geteuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    groups: process.getgroups?.() ?? [],
    hostname: hostname(),
  }
}

/**
 * The user that this process runs as and its groups, as far as they have names, as JSON.
 * accounts.py makes `pwd` and `grp` from it.
 */
export function hostAccounts(): string {
  return JSON.stringify({ user: user(), groups: groups() })
}

/** The system's number of this thread; null if it is not known. */
function threadNumber(): number | null {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0]) || null
  } catch {
    return null
  }
}

function user() {
  try {
    const { username, uid, gid, shell } = userInfo()
    return { name: username, uid, gid, shell: shell ?? '' }
  } catch {
    // In a container, the user may be a number without a name.
    return null
  }
}

function groups() {
  const own = new Set([process.getgid?.(), process.getegid?.(), ...(process.getgroups?.() ?? [])])
  let lines: string[]
  try {
    lines = readFileSync('/etc/group', 'utf8').split('\n')
  } catch {
    return []
  }
  return lines
    .map((line) => line.split(':'))
    .filter(
      ([name, , gid]) => name !== '' && gid !== undefined && gid !== '' && own.has(Number(gid)),
    )
    .map(([name, , gid, members = '']) => ({
      name,
      gid: Number(gid),
      members: members.split(',').filter((member) => member !== ''),
    }))
}
