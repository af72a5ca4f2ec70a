import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  hasEnded,
  identityText,
  parseIdentity,
  processIdentity,
} from '../../src/runtimes/pyodide/process-identity.ts'

const PREFIX = 'monoceros-suite-'
const OWNER = 'owner'
/** How long one may go without an owner, in milliseconds: it has just been made. */
const UNOWNED = 60_000

/**
 * Makes a folder for all temporary files of a run, and removes those of runs that were killed:
 * tests, and servers that are killed with them, leave theirs behind otherwise, some megabytes each.
 *
 * @param parent where such folders are
 */
export function makeTemporaryFolder(parent: string): string {
  for (const name of readdirSync(parent)) {
    if (name.startsWith(PREFIX) && isAbandoned(join(parent, name)))
      rmSync(join(parent, name), { recursive: true, force: true })
  }
  const folder = mkdtempSync(join(parent, PREFIX))
  writeFileSync(join(folder, OWNER), identityText(processIdentity()))
  return folder
}

function isAbandoned(folder: string): boolean {
  try {
    const { mtimeMs, uid } = statSync(folder)
    if (uid !== process.getuid?.()) return false
    let owner = null
    try {
      owner = parseIdentity(readFileSync(join(folder, OWNER), 'utf8'))
    } catch {
      // It has not been written yet, or never was.
    }
    if (owner === null) return Date.now() - mtimeMs > UNOWNED
    return hasEnded(owner, statSync(join(folder, OWNER)).mtimeMs) === true
  } catch {
    // Somebody else was faster.
    return false
  }
}
