import { randomBytes } from 'node:crypto'
import { constants, rmSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { hasEnded, identityText, parseIdentity, processIdentity } from '../process-identity.ts'

/**
 * As many snapshots are kept; a machine that has several versions of us, or time zones, has
 * several.
 */
const KEPT = 3
/**
 * A claim counts no more when it is this old, or from so far in the future, in milliseconds:
 * whoever has it is stuck, or cannot be asked.
 */
const ABANDONED = 120_000
/** How long it may take to write down who has a claim, in milliseconds. */
const UNNAMED = 2_000
/** Parts of a snapshot that are all zero are holes of the file, in pieces of this size. */
const PIECE = 64 * 1024

const MAGIC = Buffer.from('MONOSNAP')
const KEY = 8
const LENGTH = 40
const CHECKSUM = 48
const HEADER = 64

/** Memory that can be given back; ECMAScript 2024, which Node 20 has in part. */
export type ResizableBuffer = ArrayBuffer & { resize(length: number): void }
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { readonly maxByteLength: number },
) => ResizableBuffer

const snapshotName = /^interpreter-[0-9a-f]{32}\.snapshot$/
const claimName = /^interpreter-[0-9a-f]{32}\.snapshot\.claim$/
const unfinishedName = /^(interpreter-[0-9a-f]{32}\.snapshot)\.([0-9a-f]{12}\.)?new$/

/**
 * What is in the cache is not to be used, or nothing can be put there. The message says which and
 * why.
 */
export class CacheError extends Error {
  override readonly name = 'CacheError'
}

/**
 * The folder where snapshots are kept: `MONOCEROS_CACHE` (`off`: nowhere), or `monoceros` in
 * `$XDG_CACHE_HOME`, or in `~/.cache`. Null: there is none.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv, cwd = process.cwd()): string | null {
  const { MONOCEROS_CACHE, XDG_CACHE_HOME, HOME } = environment
  if (MONOCEROS_CACHE === 'off') return null
  if (MONOCEROS_CACHE) return resolve(cwd, MONOCEROS_CACHE)
  // A relative path there is invalid and to be ignored (XDG Base Directory Specification).
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'monoceros')
  if (HOME && isAbsolute(HOME)) return join(HOME, '.cache', 'monoceros')
  return null
}

/**
 * Snapshots on the disk. A snapshot is code: whoever can write one runs what they like in our
 * process. So a file is used only if it and its folder belong to the user we run as, nobody else
 * can write to them, and neither is a symbolic link; who can make such a file can change our own
 * files too. The checksum finds damage, not intent.
 */
export class SnapshotCache {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  /** Where the snapshot of that key lies. */
  path(key: string): string {
    return join(this.folder, `interpreter-${key.slice(0, 32)}.snapshot`)
  }

  /**
   * Whether there is a snapshot that was written under this key (64 hexadecimal digits) and may be
   * used; whether it is damaged only `read` can tell.
   *
   * @throws CacheError when there is one that must not be used
   */
  async has(key: string): Promise<boolean> {
    const found = await this.#open(key)
    await found?.file.close()
    return found !== null
  }

  /**
   * Reads that snapshot into memory that can be given back, see {@link letGo}.
   *
   * @returns null when there is none
   * @throws CacheError when there is one that must not be used
   */
  async read(key: string): Promise<Uint8Array<ResizableBuffer> | null> {
    const found = await this.#open(key)
    if (found === null) return null
    const { file, length, checksum } = found
    try {
      const bytes = new Uint8Array(memoryOf(length, this.path(key)))
      await fill(file, bytes, HEADER)
      if (crc32(bytes) !== checksum) throw new CacheError(`${this.path(key)}: it is damaged`)
      // The newest are kept, and newest is what was used last.
      const now = new Date()
      await file.utimes(now, now).catch(() => {})
      return bytes
    } finally {
      await file.close()
    }
  }

  /** The file, if it is one of ours. */
  async #open(key: string): Promise<{ file: FileHandle; length: number; checksum: number } | null> {
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
      const head = Buffer.alloc(HEADER)
      await fill(file, head, 0)
      const length = Number(head.readBigUInt64LE(LENGTH))
      const whole =
        head.subarray(0, 8).equals(MAGIC) && length > 0 && length === found.size - HEADER
      if (!whole || head.toString('hex', KEY, LENGTH) !== key)
        throw new CacheError(`${path}: it is damaged`)
      return { file, length, checksum: head.readUInt32LE(CHECKSUM) }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * Takes the right to write the snapshot of that key; of several processes one has it.
   *
   * @returns null when another one has it
   * @throws CacheError when nothing can be written
   */
  async claim(key: string): Promise<SnapshotClaim | null> {
    try {
      await this.#makeFolder()
      const path = `${this.path(key)}.claim`
      for (let attempt = 0; attempt < 2; attempt++) {
        try {
          const flags =
            constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
          const file = await open(path, flags, 0o600)
          const claim = new SnapshotClaim(this, key, path, file)
          await drain(file, Buffer.from(`${identityText(processIdentity())}\n`), 0).catch(
            async (error: unknown) => {
              await claim.release()
              throw error
            },
          )
          return claim
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
          if (!(await abandoned(path))) return null
          await rm(path, { force: true, recursive: true })
        }
      }
      return null
    } catch (error) {
      if (error instanceof CacheError) throw error
      throw new CacheError(`cannot write to ${this.folder}: ${(error as Error).message}`)
    }
  }

  /** Removes the snapshot of that key. */
  async remove(key: string): Promise<void> {
    await rm(this.path(key), { force: true })
  }

  /**
   * Removes all but the snapshots that were used last, and what those left who were ended while
   * they made one.
   */
  async prune(): Promise<void> {
    const files: { path: string; used: number }[] = []
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name)
      // Another process may be tidying up, too.
      const found = await lstat(path).catch(() => null)
      if (found === null) continue
      if (snapshotName.test(name)) files.push({ path, used: found.mtimeMs })
      else if (claimName.test(name) && (await abandoned(path)))
        await rm(path, { force: true, recursive: true })
    }
    // What is written, is written by who has the claim.
    for (const name of await readdir(this.folder)) {
      const snapshot = unfinishedName.exec(name)?.[1]
      if (snapshot !== undefined && !(await exists(join(this.folder, `${snapshot}.claim`))))
        await rm(join(this.folder, name), { force: true, recursive: true })
    }
    files.sort((a, b) => b.used - a.used)
    for (const { path } of files.slice(KEPT)) await rm(path, { force: true })
  }

  /** False when the folder does not exist. Throws CacheError when it is not ours alone. */
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
    // With sudo, HOME may be somebody else's: a folder of ours in it would be in their way.
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

/** The length is what the file says, of which nothing is checked yet. */
function memoryOf(length: number, path: string): ResizableBuffer {
  try {
    return new ResizableBuffer(length, { maxByteLength: length })
  } catch {
    throw new CacheError(`${path}: there is no memory for the ${length} bytes that it has`)
  }
}

/**
 * Gives the memory of a snapshot that was read back at once: a thread that runs Python collects no
 * garbage for a long time.
 */
export function letGo(snapshot: Uint8Array<ResizableBuffer>): void {
  snapshot.buffer.resize(0)
}

/** The right to write one snapshot. It ends with `write` or `release`. */
export class SnapshotClaim {
  readonly #cache: SnapshotCache
  readonly #key: string
  readonly #path: string
  readonly #file: FileHandle
  #over = false
  /** A server may be stopped before its snapshot is made. */
  readonly #atExit = () => rmSync(this.#path, { force: true })

  /** @internal */
  constructor(cache: SnapshotCache, key: string, path: string, file: FileHandle) {
    this.#cache = cache
    this.#key = key
    this.#path = path
    this.#file = file
    process.once('exit', this.#atExit)
  }

  /** Writes the snapshot; whoever reads sees all of it or nothing. Throws CacheError. */
  async write(snapshot: SharedArrayBuffer): Promise<void> {
    const bytes = new Uint8Array(snapshot)
    const head = Buffer.alloc(HEADER)
    MAGIC.copy(head)
    head.write(this.#key, KEY, 'hex')
    head.writeBigUInt64LE(BigInt(bytes.length), LENGTH)
    head.writeUInt32LE(crc32(bytes), CHECKSUM)
    const path = `${this.#cache.path(this.#key)}.${randomBytes(6).toString('hex')}.new`
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
      const file = await open(path, flags, 0o600)
      try {
        for (const [start, end] of occupied(snapshot))
          await drain(file, bytes.subarray(start, end), HEADER + start)
        await file.truncate(HEADER + bytes.length)
        await drain(file, head, 0)
      } finally {
        await file.close()
      }
      // Who was slow may have been taken for dead, and the claim be another's by now.
      if (!(await this.#holds())) throw new Error('another process has taken over')
      await rename(path, this.#cache.path(this.#key))
      await this.release()
      await this.#cache.prune()
    } catch (error) {
      await rm(path, { force: true }).catch(() => {})
      await this.release()
      throw new CacheError(
        `cannot write ${this.#cache.path(this.#key)}: ${(error as Error).message}`,
      )
    }
  }

  /** Gives the right back without having written anything; does nothing after `write`. */
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
 * The parts of a snapshot that are not zero, as [start, end). Four tenths of it are memory that
 * nothing has used yet.
 */
export function occupied(snapshot: SharedArrayBuffer): [number, number][] {
  const words = new BigUint64Array(snapshot, 0, Math.floor(snapshot.byteLength / 8))
  const parts: [number, number][] = []
  for (let start = 0; start < snapshot.byteLength; start += PIECE) {
    const end = Math.min(start + PIECE, snapshot.byteLength)
    const zero = end % 8 === 0 && words.subarray(start / 8, end / 8).every((word) => word === 0n)
    if (zero) continue
    const last = parts.at(-1)
    if (last !== undefined && last[1] === start) last[1] = end
    else parts.push([start, end])
  }
  return parts
}

/**
 * Whether a claim is nobody's any more: the process that it names has ended, or it is too old, or
 * it is none. In a container that shares the cache, a process of another one may be taken for
 * stuck; it then finds its claim taken over.
 */
async function abandoned(path: string): Promise<boolean> {
  try {
    const found = await lstat(path)
    // The clock may have been set meanwhile, or be another machine's.
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
    // Gone since, or a link, which is none of ours.
    return ['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

/** Reads a file from `position` on, until `into` is full or the file ends. */
export async function fill(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) return
    done += bytesRead
  }
}

async function drain(file: FileHandle, from: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < from.length)
    done += (await file.write(from, done, from.length - done, position + done)).bytesWritten
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
