/** The file that tells other programs which process to send signals to. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Thrown when the file cannot be written, or belongs to a server that runs; `message` is for the user. */
export class PidfileError extends Error {
  readonly code = 'pidfile'
}

/**
 * A pidfile of this process. One that is left behind by a process that is gone is replaced.
 *
 * @example
 * const pidfile = new Pidfile('/run/site.pid')
 * pidfile.remove()
 */
export class Pidfile {
  readonly #path: string
  readonly #pid: number

  /** @throws PidfileError */
  constructor(path: string, pid: number = process.pid) {
    this.#path = path
    this.#pid = pid
    const other = readPid(path)
    if (other !== undefined && other !== pid && runs(other)) {
      throw new PidfileError(
        `The pidfile ${path} names process ${other}, which is running. Stop that server first, or give --pid another file.`,
      )
    }
    // Never half written for whoever reads it at this moment.
    const temporary = `${path}.${pid}`
    try {
      writeFileSync(temporary, `${pid}\n`)
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      const reason = error instanceof Error ? error.message : String(error)
      throw new PidfileError(`Cannot write the pidfile ${path}: ${reason}`)
    }
  }

  /** Removes the file, unless it has become another process's. */
  remove(): void {
    try {
      if (readPid(this.#path) === this.#pid) rmSync(this.#path, { force: true })
    } catch {
      // A pidfile that stays names a process that is gone; the next server replaces it.
    }
  }
}

function readPid(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'latin1').trim()
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : undefined
  } catch {
    // Missing, or not readable: writing will tell.
    return undefined
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
