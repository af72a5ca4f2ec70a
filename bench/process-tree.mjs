/**
 * Processor time and memory of a process and everything it started, from Linux's /proc.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { sum } from './table.mjs'

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/**
 * One process, from /proc/PID/stat (proc(5)).
 *
 * @typedef {object} Process
 * @property {number} pid
 * @property {number} parent
 * @property {number} session
 * @property {boolean} ended A zombie: it runs no more, but its time has not gone to its parent yet.
 * @property {string} started Ticks since boot: with the pid, it tells a process from a later one of
 * the same number.
 * @property {number} seconds Processor time of it and of those children of it that ended and were
 * waited for.
 */

/**
 * The tree of a process that leads a session: its descendants, and what else is in its session (a
 * process whose parent ended belongs to init, but stays in its session).
 *
 * @param {number} root
 * @returns {Process[]} Empty when the root has gone and left nothing.
 */
export function processTree(root) {
  const all = processes()
  /** @type {Map<number, Process[]>} */
  const children = new Map()
  for (const process of all) {
    const siblings = children.get(process.parent)
    if (siblings) siblings.push(process)
    else children.set(process.parent, [process])
  }
  const tree = new Set(all.filter((process) => process.pid === root || process.session === root))
  for (const process of tree) {
    for (const child of children.get(process.pid) ?? []) tree.add(child)
  }
  return [...tree]
}

/**
 * Seconds of processor time that a tree has used, in user and kernel mode. A process that ended is
 * counted in the parent that waited for it, so the difference of two calls holds everything that
 * ran in between.
 *
 * @param {number} root
 */
export function processorTime(root) {
  return processTree(root).reduce((sum, process) => sum + process.seconds, 0)
}

/**
 * The same without what ended processes and threads have used, and to the nanosecond instead of the
 * clock's tick: for times so short that ticks of 10 ms would show. Falls back on ticks where the
 * kernel keeps no such account.
 *
 * @param {number} root
 */
export function exactTime(root) {
  return processTree(root).reduce((sum, process) => sum + exactTimeOf(process), 0)
}

/**
 * @param {Process} process
 * @returns {number} Seconds, of all its threads that live.
 */
export function exactTimeOf({ pid, seconds }) {
  let nanoseconds = 0
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      // proc(5) calls the first field the time spent on the processor.
      nanoseconds += Number(
        readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0],
      )
    }
  } catch {
    return seconds
  }
  return nanoseconds / 1e9
}

/**
 * Bytes of memory of a tree: the proportional set size (PSS), in which a page that several
 * processes share is counted once, in equal parts. With RSS a forked worker would count its
 * parent's memory again.
 *
 * @param {number} root
 */
export function memory(root) {
  return sum(memoryByGeneration(root))
}

/**
 * The same by generation: the root, its children, and all below and beside them. Of Monoceros these
 * are the arbiter, the acceptors and the workers.
 *
 * @param {number} root
 * @returns {[number, number, number]} Bytes.
 */
export function memoryByGeneration(root) {
  const bytes = [0, 0, 0]
  for (const { pid, parent } of processTree(root)) {
    const match = read(`/proc/${pid}/smaps_rollup`)?.match(/^Pss:\s+(\d+) kB/m)
    if (match) bytes[pid === root ? 0 : parent === root ? 1 : 2] += Number(match[1]) * 1024
  }
  return bytes
}

/**
 * Seconds that all processors of the machine have spent on anything but idling and waiting for
 * disks.
 */
export function machineTime() {
  const line = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]
  const [user, nice, system, , , irq, softirq, steal] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
}

/** Seconds that this process has used, with those of its children that ended. */
export function ownTime() {
  return processOf('self')?.seconds ?? Number.NaN
}

/** Whether the very process is still there, not another of the same number. */
export function lives({ pid, started }) {
  const now = processOf(pid)
  return now !== null && now.started === started && !now.ended
}

/** @returns {Process[]} */
function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processOf(Number(name)))
    .filter((process) => process !== null)
}

/** @returns {Process | null} null if it has ended in the meantime. */
function processOf(pid) {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  // The command stands in parentheses and may hold spaces and parentheses itself: fields are
  // counted behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return {
    pid,
    parent: Number(fields[1]),
    session: Number(fields[3]),
    ended: fields[0] === 'Z' || fields[0] === 'X',
    started: fields[19],
    seconds: ticks / TICKS_PER_SECOND,
  }
}

/** @returns {string | null} */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
