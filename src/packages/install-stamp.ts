import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pyodideVersion } from '../runtimes/pyodide/package.ts'
import { version } from '../settings/version.ts'
import { PIP_RELEASE } from './pip-release.ts'

/** In the folder of packages, so that it goes where that goes. */
export const STAMP_NAME = '.monoceros-installed.json'

/** Raise it when the same packages are installed otherwise. */
const FORMAT = 1

/**
 * What an installation leaves in its folder when that has exactly what its lock file says: by which
 * another one finds in some milliseconds, and without Python, that it has nothing to do.
 */
interface Stamp {
  /** What has installed it. */
  readonly by: string
  /** Digest of the lock file's text. */
  readonly lock: string
  /** Digest of what there is: names, sizes and times of all files. */
  readonly files: string
}

/** Puts a stamp into a folder that has exactly what the lock file says. */
export function stamp(folder: string, lock: string): void {
  const made: Stamp = { by: by(), lock: digest(lock), files: digest(listing(folder)) }
  writeFileSync(join(folder, STAMP_NAME), `${JSON.stringify(made, null, 2)}\n`)
}

/**
 * Whether the folder is as it was when it was stamped, for the same lock file and by the same
 * release. False in doubt: a copy whose files have other times is installed once more.
 */
export function isStamped(folder: string, lock: string): boolean {
  let found: Partial<Stamp> | null
  try {
    found = JSON.parse(readFileSync(join(folder, STAMP_NAME), 'utf8')) as Partial<Stamp> | null
    return (
      found?.by === by() && found.lock === digest(lock) && found.files === digest(listing(folder))
    )
  } catch {
    // None, or none of ours; or something in the folder cannot be read.
    return false
  }
}

function by(): string {
  return `monoceros ${version}, pip ${PIP_RELEASE.version}, pyodide ${pyodideVersion}, ${FORMAT}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A line for each file: what running the packages leaves, their byte code, does not count. */
function listing(folder: string, within = ''): string {
  let lines = ''
  const entries = readdirSync(join(folder, within), { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const name = within === '' ? entry.name : `${within}/${entry.name}`
    if (entry.name === '__pycache__' || name === STAMP_NAME) continue
    const path = join(folder, name)
    if (entry.isDirectory()) lines += listing(folder, name)
    else if (entry.isSymbolicLink()) lines += `${JSON.stringify(name)} -> ${readlinkSync(path)}\n`
    else {
      const { size, mtimeMs } = lstatSync(path)
      // Archives and images of containers keep seconds.
      lines += `${JSON.stringify(name)} ${size} ${Math.floor(mtimeMs / 1000)}\n`
    }
  }
  return lines
}
