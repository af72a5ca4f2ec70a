import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'

/** Something that is made from the repository, and takes long. */
export interface Product {
  /** Of its folder in `tests/.cache`. */
  readonly name: string
  /** The files and folders of the repository that it is made from. */
  readonly sources: readonly string[]
  /** Matches paths in these folders that do not count, besides {@link LEFT_BY_PROGRAMS}. */
  readonly ignored?: RegExp
  /** Whether what else it needs is there; otherwise it is made again. */
  readonly isComplete?: () => boolean
  /** Makes it in an empty folder. */
  readonly make: (folder: string) => Promise<unknown>
}

const LEFT_BY_PROGRAMS = /(^|\/)(__pycache__|node_modules)(\/|$)|\.pyc$/
/** What was made of other sources stays for this time after it was used, in milliseconds. */
const KEPT_MS = 3_600_000

/**
 * Makes it unless a test has done so, in this process or another one, of the same sources.
 *
 * @returns its folder, in which nothing may be changed
 */
export async function builtOnce(product: Product): Promise<string> {
  const cache = join(repository, 'tests', '.cache', product.name)
  mkdirSync(cache, { recursive: true })
  return await withDirectoryLock(`${cache}.lock`, async () => {
    const folder = join(cache, hashOf(product))
    if (product.isComplete?.() === false) rmSync(folder, { recursive: true, force: true })
    if (existsSync(folder)) utimesSync(folder, new Date(), new Date())
    removeOthers(cache, folder)
    if (!existsSync(folder)) {
      const work = mkdtempSync(join(cache, 'new-'))
      await product.make(work)
      // The folder is there only when it is complete.
      renameSync(work, folder)
    }
    return folder
  })
}

function removeOthers(cache: string, folder: string): void {
  for (const name of readdirSync(cache)) {
    const other = join(cache, name)
    // One that is new was left by a process that was killed: the lock is ours.
    const unfinished = name.startsWith('new-')
    if (unfinished || (other !== folder && statSync(other).mtimeMs < Date.now() - KEPT_MS))
      rmSync(other, { recursive: true, force: true })
  }
}

/** Of the contents, so that another build of the same sources is the same. */
function hashOf({ sources, ignored }: Product): string {
  const hash = createHash('sha256')
  for (const source of sources) {
    const path = join(repository, source)
    const names = !existsSync(path)
      ? []
      : statSync(path).isDirectory()
        ? readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()
        : ['']
    for (const name of names) {
      if (LEFT_BY_PROGRAMS.test(name) || ignored?.test(name)) continue
      const file = join(path, name)
      const status = statSync(file)
      if (!status.isFile()) continue
      hash.update(`${source}/${name} ${status.mode & 0o100} ${status.size}\n`)
      hash.update(readFileSync(file))
    }
  }
  return hash.digest('hex').slice(0, 16)
}
