import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'
import { isCompressible } from '../content-coding/compressible.ts'
import { EXTENSIONS, type PrecompressedEncoding } from './file-facts.ts'
import { typeOfFile } from './file-type.ts'
import { openSibling } from './precompressed.ts'
import type { OpenFile, StaticRoot } from './static-root.ts'
import { type ContentBudget, readContent, StoredFile, sameState } from './stored-file.ts'

/** How the name of a file is found. */
export interface FileLookup {
  readonly root: StaticRoot
  /** Below the root. */
  readonly names: readonly string[]
  /** It must be a directory, whose index is asked for. */
  readonly directory: boolean
  /** The file to serve for a directory; null for none. */
  readonly index: string | null
  /** Looks for compressed versions beside the file. */
  readonly precompressed: boolean
}

/** What is at a path. */
export interface StoredPath {
  /**
   * `file`: {@link files} has it. `directory`: a directory with an index, asked for without the
   * slash at its end. `absent`: nothing that may be served.
   */
  readonly kind: 'file' | 'directory' | 'absent'
  /** The names of the file below the root; none unless there is a file. */
  readonly names: readonly string[]
  readonly type: string
  /** The answer depends on Accept-Encoding. */
  readonly varies: boolean
  /** The file, then its compressed versions in order of preference. */
  readonly files: readonly StoredFile[]
  /** How often it was asked for; only counted while the content may come into memory. */
  uses: number
  /** When the file system was last asked; milliseconds of `performance.now()`. */
  checkedAt: number
}

/** There is no descriptor for another file. The answer should be 503. */
export class NoDescriptorError extends Error {
  readonly code = 'no-descriptor'
}

export interface FileStoreOptions {
  /** The memory for contents of files, and for what is known of them, in bytes. */
  readonly bytes: number
  /** How many files may be open at once. */
  readonly descriptors: number
  /** Counts contents that the store has forgotten, as long as responses send them. */
  readonly memory?: ContentBudget
  /** Takes a line for the log. */
  readonly tell: (text: string) => void
}

/** What is known of a path is used this long before the file system is asked again. */
const FRESH_MS = 1000
/** Files of up to this many bytes are read into memory when they are asked for. */
const SMALL = 64 * 1024
/**
 * Files of up to this many bytes come into memory when they are asked for again within a second;
 * larger ones are read for each response.
 */
const MIDDLE = 2 * 1024 * 1024
/** What is known of a file, beside its content: objects, heads, texts. In bytes, about. */
const FACTS = 2048
/** A file that is asked for this often while what is known of it is fresh is popular. */
const USES_OF_POPULAR = 2
/** How many paths without a file are remembered, and how many characters all of them have. */
const MOST_ABSENT = 4096
const LONGEST_ABSENT = 512 * 1024
/** The share of the descriptors that stay open without a response that reads from them. */
const SHARE_OF_IDLE = 1 / 4
/** How many paths are looked at at once. Each may hold the content of a small file. */
const MOST_LOADS = 64
/** A file that changes all the time is given up after so many attempts. */
const ATTEMPTS = 3
const CODINGS = Object.keys(EXTENSIONS) as PrecompressedEncoding[]

type Found = (error: Error | null, path: StoredPath | null) => void

/**
 * Files below some roots, with what is known of them: their state, the contents of small ones, and
 * open descriptors of large ones. Everything is bounded: the bytes, the descriptors, and how many
 * paths without a file are remembered, and how long all of them are.
 *
 * What is known may be a second old. After that, the file system is asked whether the file is still
 * the same; if it is not, everything about it is read again. The content and the ETag of a file are
 * always of the same state.
 */
export class FileStore {
  readonly #options: FileStoreOptions
  readonly #files: LRUCache<string, StoredPath> | null
  /** Clients choose these paths at will. */
  readonly #absent = new LRUCache<string, StoredPath>({
    max: MOST_ABSENT,
    maxSize: LONGEST_ABSENT,
    sizeCalculation: (_path, key) => key.length,
  })
  /** Paths with open descriptors, the one that was not used for longest first. */
  readonly #open = new Map<StoredPath, string>()
  readonly #loads = new Map<string, Found[]>()
  readonly #queue: (() => void)[] = []
  #remembering = false
  #running = 0
  #descriptors = 0

  constructor(options: FileStoreOptions) {
    this.#options = options
    this.#files =
      options.bytes === 0
        ? null
        : new LRUCache({
            maxSize: options.bytes,
            maxEntrySize: Math.max(1, Math.floor(options.bytes / 8)),
            sizeCalculation: sizeOf,
            dispose: (path) => this.#dispose(path),
          })
  }

  /** Files that are open now. */
  get descriptors(): number {
    return this.#descriptors
  }

  /** Forgets everything, and closes what no response reads from. */
  clear(): void {
    this.#files?.clear()
    this.#absent.clear()
  }

  /** Bytes of memory for what is known now, about. */
  get bytes(): number {
    return this.#files?.calculatedSize ?? 0
  }

  /** How many paths without a file are remembered. */
  get absent(): number {
    return this.#absent.size
  }

  /** What is known of a path, if it is not older than a second. */
  known(key: string): StoredPath | null {
    const path = this.#files?.get(key) ?? this.#absent.get(key)
    if (path === undefined || performance.now() - path.checkedAt >= FRESH_MS) return null
    if (path.uses >= 0 && ++path.uses === USES_OF_POPULAR) void this.#remember(key, path)
    return path
  }

  /** Reads the content of files of middle size, those of one path at a time. */
  async #remember(key: string, path: StoredPath): Promise<void> {
    path.uses = 0
    if (this.#remembering) return
    this.#remembering = true
    for (const file of path.files) file.use()
    const files: StoredFile[] = []
    try {
      for (const file of path.files) {
        const memory = file.memory ?? (await readContent(file))
        if (memory === null) break
        files.push(file.with(memory))
      }
    } catch {
      // A response that reads the file meets the error again, and tells it.
    }
    for (const file of path.files) file.release()
    this.#remembering = false
    const complete = files.length === path.files.length
    // It may have been evicted, or found to have changed, in the meantime.
    if (!complete || this.#files?.peek(key) !== path) return
    // The maker's hold is the store's.
    this.#files.set(key, { ...path, files, uses: -1 })
  }

  /**
   * Looks at a path, and calls back when all is known. Those who ask at the same time get the same
   * answer. A file in the answer is usable until the callback returns; call `use` on it to keep it.
   *
   * @param key of this look-up; the same look-up has the same key
   */
  load(key: string, lookup: FileLookup, found: Found): void {
    const others = this.#loads.get(key)
    if (others !== undefined) {
      others.push(found)
      return
    }
    this.#loads.set(key, [found])
    if (this.#running < MOST_LOADS) this.#run(key, lookup)
    else this.#queue.push(() => this.#run(key, lookup))
  }

  async #run(key: string, lookup: FileLookup): Promise<void> {
    this.#running++
    let path: StoredPath | null = null
    let error: Error | null = null
    try {
      path = await this.#current(key, lookup)
    } catch (failure) {
      error = failure instanceof Error ? failure : new Error(String(failure))
    }
    this.#running--
    this.#queue.shift()?.()
    const waiting = this.#loads.get(key)!
    this.#loads.delete(key)
    if (path !== null) this.#keep(key, path)
    for (const found of waiting) found(error, path)
    if (path === null) return
    for (const file of path.files) file.release()
    if (this.#open.has(path)) this.#closeIdle(this.#options.descriptors * SHARE_OF_IDLE)
  }

  #keep(key: string, path: StoredPath): void {
    const files = this.#files
    if (path.kind !== 'file') {
      files?.delete(key)
      this.#absent.set(key, path)
      return
    }
    this.#absent.delete(key)
    if (files === null || files.peek(key) === path) return
    if (path.files.some((file) => file.changedJustNow)) {
      files.delete(key)
      return
    }
    files.set(key, path)
    if (files.peek(key) !== path) return
    for (const file of path.files) file.use()
    if (path.files.some((file) => file.memory === null)) this.#open.set(path, key)
  }

  #dispose(path: StoredPath): void {
    this.#open.delete(path)
    for (const file of path.files) file.forget(this.#options.memory ?? null)
  }

  /** Forgets open files that no response reads from, until at most so many are open. */
  #closeIdle(most: number): void {
    for (const [path, key] of this.#open) {
      if (this.#descriptors <= most) return
      if (path.files.every((file) => file.idle)) this.#files!.delete(key)
    }
  }

  /**
   * What is at a path now: what is known of it if that has not changed, or else a new look. The
   * caller holds the files, and releases them.
   */
  async #current(key: string, lookup: FileLookup): Promise<StoredPath> {
    const known = this.#files?.get(key)
    const startedAt = performance.now()
    if (known !== undefined && (await isUnchanged(known, lookup))) {
      // It may have been evicted while the file system was asked.
      if (this.#files?.peek(key) === known) {
        known.checkedAt = startedAt
        for (const file of known.files) file.use()
        return known
      }
    }
    for (let attempt = 1; ; attempt++) {
      const path = await this.#look(lookup)
      if (path !== 'changed') return path
      if (attempt === ATTEMPTS) throw new Error('the file changes all the time')
    }
  }

  async #look(lookup: FileLookup): Promise<StoredPath | 'changed'> {
    const { root, index, precompressed } = lookup
    const checkedAt = performance.now()
    const nothing = { names: [], type: '', varies: false, files: [], uses: -1, checkedAt }
    let { names } = lookup
    let found = lookup.directory ? 'directory' : await this.#openFile(root, names)
    const redirected = found === 'directory' && !lookup.directory
    if (found === 'directory') {
      if (index === null) return { ...nothing, kind: 'absent' }
      names = [...names, index]
      found = await this.#openFile(root, names)
    }
    if (found === null || found === 'directory') return { ...nothing, kind: 'absent' }
    if (redirected) {
      await this.#close(found as OpenFile)
      return { ...nothing, kind: 'directory' }
    }
    const file = found as OpenFile
    const type = typeOfFile(names.at(-1)!)
    const varies = precompressed && isCompressible(type)
    const files: StoredFile[] = []
    const opened: [OpenFile, PrecompressedEncoding | null][] = [[file, null]]
    const giveUp = () => {
      for (const [one] of opened.slice(files.length)) void this.#close(one)
      for (const stored of files) stored.release()
    }
    try {
      if (varies) {
        for (const coding of CODINGS) {
          const sibling = await this.#opening(() => openSibling(root, file, names, coding))
          if (sibling !== null) opened.push([sibling, coding])
        }
      }
      for (const [one, coding] of opened) {
        const small = one.stat.size <= SMALL && this.#options.bytes > 0
        const memory = small ? await readContent({ fd: one.handle.fd, stat: one.stat }) : null
        if (small && memory === null) {
          giveUp()
          return 'changed'
        }
        files.push(new StoredFile(one, coding, memory, () => this.#descriptors--))
      }
    } catch (error) {
      giveUp()
      throw error
    }
    const open = files.some(({ memory }) => memory === null)
    const middle = open && files.every(({ size }) => size <= MIDDLE)
    return { kind: 'file', names, type, varies, files, uses: middle ? 0 : -1, checkedAt }
  }

  #openFile(root: StaticRoot, names: readonly string[]): Promise<OpenFile | 'directory' | null> {
    return this.#opening(() => root.open(names, this.#options.tell))
  }

  /** Opens a file, which counts from before it is open until it is closed. */
  async #opening<T extends OpenFile | 'directory' | null>(open: () => Promise<T>): Promise<T> {
    const { descriptors } = this.#options
    if (this.#descriptors >= descriptors) this.#closeIdle(descriptors - 1)
    if (this.#descriptors >= descriptors)
      throw new NoDescriptorError(`${descriptors} files are being sent already`)
    this.#descriptors++
    let file: T | null = null
    try {
      file = await open()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EMFILE' || code === 'ENFILE') {
        this.#closeIdle(0)
        throw new NoDescriptorError(`file descriptors are used up (${code})`)
      }
      throw error
    } finally {
      if (file === null || file === 'directory') this.#descriptors--
    }
    return file
  }

  async #close(file: OpenFile): Promise<void> {
    this.#descriptors--
    await file.handle.close().catch(() => {})
  }
}

function sizeOf(path: StoredPath): number {
  return path.files.reduce((sum, { memory }) => sum + FACTS + (memory?.length ?? 0), FACTS)
}

/** Whether all files of a path are as they were, and no compressed version has been added. */
async function isUnchanged(path: StoredPath, { root }: FileLookup): Promise<boolean> {
  const codings = path.varies ? CODINGS : []
  const states = await Promise.all([
    stateOf(path.files[0]!.path),
    ...codings.map((coding) => stateOf(root.pathOf(path.names) + EXTENSIONS[coding])),
  ])
  const before = [null, ...codings].map(
    (coding) => path.files.find((file) => file.encoding === coding)?.stat ?? null,
  )
  return states.every((now, index) => {
    const then = before[index]!
    if (index > 0 && then === null && now !== null) {
      // An older one was there all the time, and does not count.
      return now.mtimeNs < path.files[0]!.stat.mtimeNs || !now.isFile()
    }
    return then === null ? now === null : now !== null && sameState(then, now)
  })
}

async function stateOf(path: string): Promise<BigIntStats | null> {
  try {
    return await stat(path, { bigint: true })
  } catch {
    return null
  }
}
