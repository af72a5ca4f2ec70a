import { createHash } from 'node:crypto'
import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pyodideVersion } from '../runtimes/pyodide/package.ts'
import { version } from '../settings/version.ts'
import { PIP_RELEASE } from './pip-release.ts'

/** The file is in the folder of packages, so that it moves with the folder. */
export const STAMP_NAME = '.monoceros-installed.json'

/** Increase it when the same packages would be installed differently. */
const FORMAT = 1

/**
 * Marks a folder that matches its lock file. The next installation then finds out within
 * milliseconds, and without Python, that there is nothing to do.
 */
interface Stamp {
  /** The releases that installed it. */
  readonly by: string
  /** Digest of the lock file's text. */
  readonly lock: string
  /** Digest of the names, sizes and times of all files. */
  readonly files: string
  /** Requests that the folder satisfies, the last ones first: {@link MOST_REQUESTS} at most. */
  readonly requests?: readonly string[]
}

const MOST_REQUESTS = 16

/**
 * Puts a stamp into a folder that matches the lock file.
 *
 * @param request what was asked for and is there now; null if that cannot be said in a word
 */
export function stamp(folder: string, lock: string, request: string | null = null): void {
  const requests = request === null ? [] : [request]
  write(folder, { by: by(), lock: digest(lock), files: digest(listing(folder)), requests })
}

/** Adds to a valid stamp that the folder satisfies this request, too. Does nothing without one. */
export function addRequest(folder: string, lock: string, request: string): void {
  const found = validStamp(folder, lock)
  if (found === null) return
  const others = (found.requests ?? []).filter((other) => other !== request)
  write(folder, { ...found, requests: [request, ...others].slice(0, MOST_REQUESTS) })
}

/** Whether the folder is stamped, and the request was made and satisfied since. */
export function isSatisfied(folder: string, lock: string, request: string): boolean {
  return validStamp(folder, lock)?.requests?.includes(request) === true
}

/** By renaming, because another installation may read it. */
function write(folder: string, made: Stamp): void {
  const path = join(folder, STAMP_NAME)
  const next = `${path}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(made, null, 2)}\n`)
  renameSync(next, path)
}

/**
 * Whether the folder is unchanged since it was stamped, for the same lock file and by the same
 * release. False in doubt: a copy with other file times is installed again.
 */
export function isStamped(folder: string, lock: string): boolean {
  return validStamp(folder, lock) !== null
}

function validStamp(folder: string, lock: string): Stamp | null {
  try {
    const found = JSON.parse(readFileSync(join(folder, STAMP_NAME), 'utf8')) as Stamp | null
    const isValid =
      found?.by === by() && found.lock === digest(lock) && found.files === digest(listing(folder))
    return isValid ? found : null
  } catch {
    // There is no valid stamp, or something in the folder cannot be read.
    return null
  }
}

function by(): string {
  return `monoceros ${version}, pip ${PIP_RELEASE.version}, pyodide ${pyodideVersion}, ${FORMAT}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A line for each file. Bytecode does not count, because running the packages writes it. */
function listing(folder: string, within = ''): string {
  let lines = ''
  const entries = readdirSync(join(folder, within), { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const name = within === '' ? entry.name : `${within}/${entry.name}`
    if (entry.name === '__pycache__' || name.startsWith(STAMP_NAME)) continue
    const path = join(folder, name)
    if (entry.isDirectory()) lines += listing(folder, name)
    else if (entry.isSymbolicLink()) lines += `${JSON.stringify(name)} -> ${readlinkSync(path)}\n`
    else {
      const { size, mtimeMs } = lstatSync(path)
      // Archives and container images keep whole seconds only.
      lines += `${JSON.stringify(name)} ${size} ${Math.floor(mtimeMs / 1000)}\n`
    }
  }
  return lines
}
