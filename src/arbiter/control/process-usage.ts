/** What processes take: from `/proc` on Linux, from ps(1) elsewhere. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { ProcessUsage } from '../../observe/server-state.ts'
import { statFields, TICKS } from '../../process/other-process.ts'

/** By process; those that have ended are missing. */
export async function processUsages(
  pids: readonly number[],
): Promise<ReadonlyMap<number, ProcessUsage>> {
  if (process.platform !== 'linux') return await usagesByPs(pids)
  const usages = new Map<number, ProcessUsage>()
  for (const pid of pids) {
    const usage = usageOf(pid)
    if (usage !== null) usages.set(pid, usage)
  }
  return usages
}

/**
 * VmRSS of proc_pid_status(5), and utime and stime, the fields 14 and 15 of proc_pid_stat(5).
 *
 * @returns null if there is no such process, or no /proc
 */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
    if (resident === null) return null
    const fields = statFields(pid)
    if (fields.length === 0) return null
    const cpu = (Number(fields[11]) + Number(fields[12])) / TICKS
    return { memory: Number(resident[1]) * 1024, cpu }
  } catch {
    return null
  }
}

function usagesByPs(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessUsage>> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'pid=,rss=,time=', '-p', pids.join(',')], (_error, stdout) => {
      const usages = new Map<number, ProcessUsage>()
      for (const line of stdout.split('\n')) {
        const [, pid, kilobytes, time] = /^\s*(\d+)\s+(\d+)\s+(\S+)/.exec(line) ?? []
        if (pid === undefined) continue
        usages.set(Number(pid), { memory: Number(kilobytes) * 1024, cpu: secondsOf(time!) })
      }
      resolve(usages)
    })
  })
}

/** `1-02:03:04.5` → seconds. */
function secondsOf(time: string): number {
  const [rest = '', days = '0'] = time.split('-').reverse()
  const seconds = rest.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
  return Number(days) * 86_400 + seconds
}
