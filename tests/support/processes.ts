import { readdirSync, readFileSync } from 'node:fs'
import { waitFor } from './wait-for.ts'

// What /proc says about processes (Linux). A process may end between two reads: every reader takes
// that as "gone".

/** True while the process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  const stat = readProc(pid, 'stat')
  // The second field is the program's name in parentheses and may hold anything, parentheses too.
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0]
  return state !== undefined && state !== 'Z'
}

/** The direct children of a process, in the order of their pids. */
export function childrenOf(pid: number): number[] {
  // Each thread has those that it has forked. To look at every process of the machine for its
  // parent takes milliseconds, which tests that wait for a child would spend over and over.
  return threadsOf(pid)
    .flatMap((thread) => readProc(pid, `task/${thread}/children`).split(' '))
    .filter((child) => child !== '')
    .map(Number)
    .sort((a, b) => a - b)
}

/** A process's descendants, parents before children. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = []
  const queue = [pid]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const children = childrenOf(next)
    found.push(...children)
    queue.push(...children)
  }
  return found
}

/** The command line of a process, its arguments joined by spaces; empty when it is gone. */
export function commandLineOf(pid: number): string {
  return readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
}

/** Every process that was started with this variable in its environment (children inherit it). */
export function processesWithEnvironment(name: string, value: string): number[] {
  const wanted = `${name}=${value}`
  return allPids().filter(
    (pid) => readProc(pid, 'environ').split('\0').includes(wanted) && isAlive(pid),
  )
}

/** Resident memory of one process in bytes; 0 when it is gone. */
export function residentMemory(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))
  return match ? Number(match[1]) * 1024 : 0
}

/** How many file descriptors a process has open; 0 when it is gone. */
export function openDescriptors(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return 0
  }
}

/** Resolves when the process is gone (or a zombie, which runs nothing any more). */
export async function waitUntilGone(pid: number, timeout = 25_000): Promise<void> {
  await waitFor(`process ${pid} to be gone`, () => !isAlive(pid), timeout)
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}
