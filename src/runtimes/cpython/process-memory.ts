import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { MemoryUse } from '../recycling.ts'

/**
 * How much memory a process has. Null if that is not known, for example because it has ended.
 *
 * @param forked it shares what its parent has loaded: then only what it has for itself counts
 */
export async function memoryOf(pid: number, forked: boolean): Promise<MemoryUse | null> {
  try {
    if (process.platform !== 'linux') return await residentByPs(pid)
    if (!forked) return use(/^VmRSS:\s+(\d+) kB$/m, await readFile(`/proc/${pid}/status`, 'latin1'))
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1')
    const sizes = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)]
    const bytes = sizes.reduce((sum, [, size]) => sum + Number(size) * 1024, 0)
    return sizes.length === 0 ? null : { bytes, sharesMore: true }
  } catch {
    return null
  }
}

function use(pattern: RegExp, text: string): MemoryUse | null {
  const found = pattern.exec(text)
  return found === null ? null : { bytes: Number(found[1]) * 1024, sharesMore: false }
}

/** Where there is no /proc. What is shared counts as well. */
function residentByPs(pid: number): Promise<MemoryUse | null> {
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'rss=', '-p', String(pid)], (error, stdout) =>
      resolve(error === null ? use(/^\s*(\d+)/, stdout) : null),
    )
  })
}
