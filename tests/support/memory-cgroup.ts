import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from './wait-for.ts'

/** A control group of the kernel that limits the memory of its processes together. */
export class MemoryCgroup {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Makes one, of whichever version the machine has.
   *
   * @param bytes the limit
   * @returns why that is not possible, as in most containers
   */
  static make(bytes: number): MemoryCgroup | string {
    const ours = readFileSync('/proc/self/cgroup', 'latin1')
    const name = `monoceros-test-${process.pid}`
    const first = /^\d+:(?:.*,)?memory(?:,.*)?:(.*)$/m.exec(ours)?.[1]
    const [root, own, limit, swap] =
      first === undefined
        ? ['/sys/fs/cgroup', /^0::(.*)$/m.exec(ours)?.[1] ?? '/', 'memory.max', 'memory.swap.max']
        : [
            '/sys/fs/cgroup/memory',
            first,
            'memory.limit_in_bytes',
            // Together with the memory.
            'memory.memsw.limit_in_bytes',
          ]
    const reasons: string[] = []
    // Version 2 allows no processes beside groups with a controller, so not within our own.
    for (const parent of new Set([join(root, own), root])) {
      const folder = join(parent, name)
      try {
        mkdirSync(folder)
        try {
          writeFileSync(join(folder, limit), String(bytes))
          if (existsSync(join(folder, swap)))
            writeFileSync(join(folder, swap), String(first === undefined ? 0 : bytes))
          return new MemoryCgroup(folder)
        } catch (error) {
          rmdirSync(folder)
          throw error
        }
      } catch (error) {
        reasons.push((error as Error).message)
      }
    }
    return reasons.join('; ')
  }

  /** Puts a process into it; its children to come are in it too. */
  add(pid: number): void {
    writeFileSync(join(this.#folder, 'cgroup.procs'), String(pid))
  }

  /** Removes it when its processes have ended. */
  async remove(): Promise<void> {
    await waitFor('the end of the processes in the control group', () => {
      try {
        rmdirSync(this.#folder)
        return true
      } catch {
        return false
      }
    })
  }
}
