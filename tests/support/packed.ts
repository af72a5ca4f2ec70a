import { execFile } from 'node:child_process'
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
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'

/** A package as it is published. */
export interface PackedPackage {
  readonly name: string
  /** The path of its tarball. */
  readonly tarball: string
  /** Of the tarball, in bytes. */
  readonly size: number
  /** Of the files in it, in bytes. */
  readonly unpackedSize: number
}

type Packages = Readonly<Record<'monoceros' | 'monoceros-pyodide', PackedPackage>>

/** A folder for each build that was packed, named by the hash of what it is made from. */
const cache = join(repository, 'tests', '.cache', 'packed')

/** What the packages are made from. The lock files stand for the dependencies in the bundle. */
const SOURCES = [
  'dist',
  'python',
  'packages/pyodide',
  'scripts',
  'package.json',
  'package-lock.json',
  'node_modules/.package-lock.json',
  'README.md',
  'LICENSE',
]
/** What programs leave in those folders. */
const NOT_PACKED = /(^|\/)(__pycache__|node_modules)(\/|$)|\.pyc$/

/** Packages of other builds stay for this time after they were used, in milliseconds. */
const KEPT_MS = 3_600_000

let packing: Promise<Packages> | undefined

/** Packs the build that is under test, unless a test has done so. */
export function packed(): Promise<Packages> {
  packing ??= packOnce()
  return packing
}

async function packOnce(): Promise<Packages> {
  mkdirSync(cache, { recursive: true })
  return await withDirectoryLock(`${cache}.lock`, async () => {
    const folder = join(cache, hashOf(SOURCES))
    if (existsSync(folder)) utimesSync(folder, new Date(), new Date())
    removeOthers(folder)
    if (!existsSync(folder)) await pack(folder)
    const packages = readFileSync(join(folder, 'packages.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as PackedPackage)
      .map((one) => ({ ...one, tarball: join(folder, basename(one.tarball)) }))
    return Object.fromEntries(packages.map((one) => [one.name, one])) as unknown as Packages
  })
}

/** Makes the folder, which is there only when it is complete. */
async function pack(folder: string): Promise<void> {
  const work = mkdtempSync(join(cache, 'new-'))
  const script = join(repository, 'scripts', 'pack.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--to', work])
  writeFileSync(join(work, 'packages.jsonl'), stdout)
  for (const entry of readdirSync(work, { withFileTypes: true })) {
    if (entry.isDirectory()) rmSync(join(work, entry.name), { recursive: true })
  }
  renameSync(work, folder)
}

function removeOthers(folder: string): void {
  for (const name of readdirSync(cache)) {
    const other = join(cache, name)
    // One that is new was left by a process that was killed: the lock is ours.
    const unfinished = name.startsWith('new-')
    if (unfinished || (other !== folder && statSync(other).mtimeMs < Date.now() - KEPT_MS))
      rmSync(other, { recursive: true, force: true })
  }
}

/**
 * Of the contents, so that another build of the same sources is not packed again.
 *
 * @param sources files and folders of the repository
 */
export function hashOf(sources: readonly string[]): string {
  const hash = createHash('sha256')
  for (const source of sources) {
    const path = join(repository, source)
    const names = !existsSync(path)
      ? []
      : statSync(path).isDirectory()
        ? readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()
        : ['']
    for (const name of names) {
      if (NOT_PACKED.test(name)) continue
      const file = join(path, name)
      const status = statSync(file)
      if (!status.isFile()) continue
      hash.update(`${source}/${name} ${status.mode & 0o100} ${status.size}\n`)
      hash.update(readFileSync(file))
    }
  }
  return hash.digest('hex').slice(0, 16)
}
