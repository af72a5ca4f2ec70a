import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs `work` while no other process holds the same lock. The lock is a directory (making one is
 * atomic) with the holder's pid in it, so that a holder which was killed does not block the next
 * one.
 *
 * @param path The lock directory.
 */
export async function withDirectoryLock<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      mkdirSync(path)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (holderIsGone(path)) rmSync(path, { recursive: true, force: true })
    else await sleep(100)
  }
  try {
    writeFileSync(join(path, 'pid'), String(process.pid))
    return await work()
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

function holderIsGone(path: string): boolean {
  let pid: number
  try {
    pid = Number(readFileSync(join(path, 'pid'), 'utf8'))
  } catch {
    // Between the holder's mkdir and its write; a holder killed just there is reported by the next
    // timeout.
    return false
  }
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
