import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { statFields } from '../../src/process/other-process.ts'
import { waitFor } from './wait-for.ts'

// What a process holds, as /proc says (Linux). All sizes in bytes.

/** What may be left behind by something that went wrong. */
export interface Resources {
  resident: number
  /** The highest that `resident` has been since the process began, or since `forgetPeak`. */
  peak: number
  /** Open file descriptors by kind: `socket`, `pipe`, `file`, `deleted file`, `other`. */
  descriptors: Record<string, number>
  /** Lines of its memory map. */
  mappings: number
  /** All of its address space. */
  virtual: number
}

/** Throws when the process is gone. */
export function resourcesOf(pid: number): Resources {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const size = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
  return {
    resident: size('VmRSS'),
    peak: size('VmHWM'),
    descriptors: descriptorsOf(pid),
    mappings: readFileSync(`/proc/${pid}/maps`, 'latin1').trimEnd().split('\n').length,
    virtual: size('VmSize'),
  }
}

/**
 * Lets the peak of resident memory begin anew from what it is now (proc(5), /proc/pid/clear_refs).
 */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** The user and system time that a process has used so far, in milliseconds; NaN if it is gone. */
export function processorTime(pid: number): number {
  const fields = statFields(pid)
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS
}

const CLOCK_TICK_MS = 10

/** Open file descriptors by kind. */
export function descriptorsOf(pid: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    let target: string
    try {
      target = readlinkSync(`/proc/${pid}/fd/${name}`)
    } catch {
      continue // closed meanwhile
    }
    const kind = /^(socket|pipe):/.exec(target)?.[1] ?? kindOfFile(target)
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

function kindOfFile(target: string): string {
  if (!target.startsWith('/')) return 'other'
  return target.endsWith(' (deleted)') ? 'deleted file' : 'file'
}

/** A process that gets no processor for a second changes nothing in it, and has not settled. */
const QUIET_MS = 2000

/** Resolves when the open file descriptors of these processes have been the same for a while. */
export async function settledDescriptors(pids: number[]): Promise<void> {
  let last = ''
  let since = Date.now()
  await waitFor('file descriptors to settle', () => {
    const now = JSON.stringify(pids.map(descriptorsOf))
    if (now !== last) since = Date.now()
    last = now
    return Date.now() - since >= QUIET_MS
  })
}

/** Waits until a process has these open file descriptors by kind, and shows a difference. */
export async function expectDescriptors(
  pid: number,
  wanted: Record<string, number>,
): Promise<void> {
  const isSo = () => isDeepStrictEqual(descriptorsOf(pid), wanted)
  await waitFor('the same file descriptors', isSo).catch(() => {})
  expect(descriptorsOf(pid)).toEqual(wanted)
}

/** The limit of open files that a process we start will have. */
export function descriptorLimit(): number {
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))
  // Node raises the soft limit to the hard one when it starts.
  return Number(line?.[2])
}

/** `12.3 MiB`. */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
