import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isAbandoned, SnapshotClaim } from './snapshot-claim.ts'
import {
  CacheError,
  type ResizableBuffer,
  readContents,
  readHeader,
  type SnapshotHeader,
} from './snapshot-file.ts'

/**
 * How many snapshots are kept. Each site has one of its own, because it contains the paths of the
 * modules in the site's `node_modules`; so have other versions and other time zones.
 */
const KEPT = 16
/** How much of the disk they may take together, in bytes. One takes some 18 MB. */
const KEPT_BYTES = 512 * 1024 * 1024

const SNAPSHOT_NAME = /^interpreter-[0-9a-f]{32}\.snapshot$/
const CLAIM_NAME = /^interpreter-[0-9a-f]{32}\.snapshot\.claim$/
const UNFINISHED_NAME = /^(interpreter-[0-9a-f]{32}\.snapshot)\.([0-9a-f]{12}\.)?new$/

/**
 * Snapshots on the disk.
 *
 * A snapshot is code: anyone who can write one can run anything in this process. So a file is used
 * only if it and its folder belong to the current user, nobody else can write to them, and neither
 * is a symbolic link. Whoever can make such a file can change Monoceros itself too. The checksum
 * detects damage, not intent.
 */
export class SnapshotCache {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** The path of a key's snapshot. */
  path(key: string): string {
    return join(this.folder, `interpreter-${key.slice(0, 32)}.snapshot`)
  }

  /**
   * Whether there is a snapshot that was written under this key (64 hexadecimal digits) and may be
   * used. Only `read` finds out whether it is damaged.
   *
   * @throws CacheError if there is one that must not be used
   */
  async has(key: string): Promise<boolean> {
    const found = await this.#open(key)
    await found?.file.close()
    return found !== null
  }

  /**
   * Reads the snapshot of a key into memory that `releaseSnapshot` releases.
   *
   * @returns null if there is none
   * @throws CacheError if there is one that must not be used
   */
  async read(key: string): Promise<Uint8Array<ResizableBuffer> | null> {
    const found = await this.#open(key)
    if (found === null) return null
    const { file, header } = found
    try {
      const bytes = await readContents(file, header, this.path(key))
      // `prune` keeps the snapshots that were used last.
      const now = new Date()
      await file.utimes(now, now).catch(() => {})
      return bytes
    } finally {
      await file.close()
    }
  }

  /** Opens the file of a key and checks that it may be used. */
  async #open(key: string): Promise<{ file: FileHandle; header: SnapshotHeader } | null> {
    if (!(await this.#folderIsOurs())) return null
    const path = this.path(key)
    let file: FileHandle
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return null
      throw new CacheError(
        `${path}: ${code === 'ELOOP' ? 'it is a symbolic link' : (error as Error).message}`,
      )
    }
    try {
      const found = await file.stat()
      if (!found.isFile()) throw new CacheError(`${path}: it is not a file`)
      if (found.uid !== process.geteuid?.())
        throw new CacheError(`${path}: it belongs to another user`)
      if ((found.mode & 0o077) !== 0)
        throw new CacheError(`${path}: others may use it (it should have mode 600)`)
      return { file, header: await readHeader(file, key, found.size, path) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * Takes the right to write the snapshot of a key. Only one process at a time has it.
   *
   * @returns null if another process has it
   * @throws CacheError if nothing can be written
   */
  async claim(key: string): Promise<SnapshotClaim | null> {
    try {
      await this.#makeFolder()
      return await SnapshotClaim.take(key, this.path(key), () => this.prune())
    } catch (error) {
      if (error instanceof CacheError) throw error
      throw new CacheError(`cannot write to ${this.folder}: ${(error as Error).message}`)
    }
  }

  /** Removes the snapshot of a key. */
  async remove(key: string): Promise<void> {
    await rm(this.path(key), { force: true })
  }

  /**
   * Removes the snapshots that were not used for the longest time, if there are more than are kept,
   * and what is left of processes that were ended while they made one.
   */
  async prune(): Promise<void> {
    const files: { path: string; used: number; bytes: number }[] = []
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name)
      // Another process may be doing the same.
      const found = await lstat(path).catch(() => null)
      if (found === null) continue
      if (SNAPSHOT_NAME.test(name))
        files.push({ path, used: found.mtimeMs, bytes: found.blocks * 512 })
      else if (CLAIM_NAME.test(name) && (await isAbandoned(path)))
        await rm(path, { force: true, recursive: true })
    }
    // The owner of a claim is still writing.
    for (const name of await readdir(this.folder)) {
      const snapshot = UNFINISHED_NAME.exec(name)?.[1]
      if (snapshot !== undefined && !(await exists(join(this.folder, `${snapshot}.claim`))))
        await rm(join(this.folder, name), { force: true, recursive: true })
    }
    files.sort((a, b) => b.used - a.used)
    let bytes = 0
    for (const [index, file] of files.entries()) {
      bytes += file.bytes
      // The newest is what was written just now.
      const kept = index === 0 || (index < KEPT && bytes <= KEPT_BYTES)
      if (!kept) await rm(file.path, { force: true })
    }
  }

  /**
   * False if the folder does not exist.
   *
   * @throws CacheError if it belongs to another user or others can write to it
   */
  async #folderIsOurs(): Promise<boolean> {
    let found: Awaited<ReturnType<typeof lstat>>
    try {
      found = await lstat(this.folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw new CacheError(`${this.folder}: ${(error as Error).message}`)
    }
    if (!found.isDirectory()) throw new CacheError(`${this.folder}: it is not a folder`)
    if (found.uid !== process.geteuid?.())
      throw new CacheError(`${this.folder}: it belongs to another user`)
    if ((found.mode & 0o022) !== 0)
      throw new CacheError(`${this.folder}: others may write to it (it should have mode 700)`)
    return true
  }

  async #makeFolder(): Promise<void> {
    if (await this.#folderIsOurs()) return
    // With sudo, HOME may be another user's, who could not remove a folder that we make there.
    let parent = dirname(this.folder)
    while (!(await exists(parent))) parent = dirname(parent)
    const { uid, mode } = await stat(parent)
    const shared = (mode & 0o1000) !== 0
    if (uid !== process.geteuid?.() && !shared)
      throw new CacheError(`${parent} belongs to another user`)
    await mkdir(this.folder, { recursive: true, mode: 0o700 })
    await this.#folderIsOurs()
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
