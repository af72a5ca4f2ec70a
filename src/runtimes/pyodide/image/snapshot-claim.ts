import { randomBytes } from 'node:crypto'
import { constants, rmSync } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { hasEnded, identityText, parseIdentity, processIdentity } from '../process-identity.ts'
import { CacheError, drain, writeSnapshot } from './snapshot-file.ts'

/**
 * A claim does not count any more when it is this old, or is dated that far in the future, in
 * milliseconds: its owner hangs, or cannot be asked.
 */
const ABANDONED = 120_000
/** How long a process may take to write its identity into a new claim, in milliseconds. */
const UNNAMED = 2_000

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

interface ClaimParts {
  readonly key: string
  readonly target: string
  /** Of the file that stands for the claim. */
  readonly path: string
  /** That file, open. */
  readonly file: FileHandle
  readonly written: () => Promise<void>
}

/** The right to write one snapshot. It ends with `write` or `release`. */
export class SnapshotClaim {
  readonly #key: string
  readonly #target: string
  readonly #path: string
  readonly #file: FileHandle
  readonly #written: () => Promise<void>
  #over = false
  /** A server may be stopped before its snapshot is complete. */
  readonly #atExit = () => rmSync(this.#path, { force: true })

  private constructor(parts: ClaimParts) {
    this.#key = parts.key
    this.#target = parts.target
    this.#path = parts.path
    this.#file = parts.file
    this.#written = parts.written
    process.once('exit', this.#atExit)
  }

  /**
   * Takes the right to write the snapshot of a key to the file `target`.
   *
   * @param written called when it has been written
   * @returns null if another process has the right
   */
  static async take(
    key: string,
    target: string,
    written: () => Promise<void>,
  ): Promise<SnapshotClaim | null> {
    const path = `${target}.claim`
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const file = await open(path, NEW_FILE, 0o600)
        const claim = new SnapshotClaim({ key, target, path, file, written })
        await drain(file, Buffer.from(`${identityText(processIdentity())}\n`), 0).catch(
          async (error: unknown) => {
            await claim.release()
            throw error
          },
        )
        return claim
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        if (!(await isAbandoned(path))) return null
        await rm(path, { force: true, recursive: true })
      }
    }
    return null
  }

  /**
   * Writes the snapshot. Readers see all of it or nothing.
   *
   * @throws CacheError if that is not possible
   */
  async write(snapshot: SharedArrayBuffer): Promise<void> {
    const path = `${this.#target}.${randomBytes(6).toString('hex')}.new`
    try {
      const file = await open(path, NEW_FILE, 0o600)
      try {
        await writeSnapshot(file, this.#key, snapshot)
      } finally {
        await file.close()
      }
      // Another process may have considered this one dead and taken the claim.
      if (!(await this.#holds())) throw new Error('another process has taken over')
      await rename(path, this.#target)
      await this.release()
      await this.#written()
    } catch (error) {
      await rm(path, { force: true }).catch(() => {})
      await this.release()
      throw new CacheError(`cannot write ${this.#target}: ${(error as Error).message}`)
    }
  }

  /** Gives the right back without having written anything. After `write` it does nothing. */
  async release(): Promise<void> {
    if (this.#over) return
    this.#over = true
    process.off('exit', this.#atExit)
    const holds = await this.#holds().catch(() => false)
    await this.#file.close().catch(() => {})
    if (holds) await rm(this.#path, { force: true }).catch(() => {})
  }

  async #holds(): Promise<boolean> {
    const [own, named] = await Promise.all([this.#file.stat(), lstat(this.#path).catch(() => null)])
    return named !== null && named.ino === own.ino && named.dev === own.dev
  }
}

/**
 * Whether a claim has no owner any more: the process that it names has ended, it is too old, or it
 * is not a claim. If containers share a cache, a process may be wrongly considered stuck; when it
 * has written its snapshot it finds that its claim was taken over.
 */
export async function isAbandoned(path: string): Promise<boolean> {
  try {
    const found = await lstat(path)
    // The clock may have been set since, or the file may come from another machine.
    const age = Math.abs(Date.now() - found.mtimeMs)
    if (!found.isFile() || age >= ABANDONED) return true
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const start = Buffer.alloc(128)
      const { bytesRead } = await file.read(start, 0, start.length, 0)
      const owner = parseIdentity(start.toString('latin1', 0, bytesRead))
      return owner === null ? age >= UNNAMED : hasEnded(owner, found.mtimeMs) === true
    } finally {
      await file.close()
    }
  } catch (error) {
    // It has been removed since, or it is a link, which Monoceros never makes here.
    return ['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}
