import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  hasEnded,
  identityText,
  parseIdentity,
  processIdentity,
} from '../../src/runtimes/pyodide/process-identity.ts'

const PREFIX = 'monoceros-suite-'
const OWNER = 'owner'
/** In the environment: the folder that this run has made already, for another tier. */
const MARK = 'MONOCEROS_SUITE_FOLDER'
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
    if (name.startsWith(PREFIX) && isAbandoned(join(parent, name))) removeFolder(join(parent, name))
  }
  const folder = mkdtempSync(join(parent, PREFIX))
  writeFileSync(join(folder, OWNER), identityText(processIdentity()))
  return folder
}

/**
 * Has all temporary files of this run go into a folder of its own. The tiers of a run share it: the
 * first one makes it.
 *
 * @returns a function that removes the folder, for the tier that made it
 */
export function useTemporaryFolder(env: NodeJS.ProcessEnv = process.env): () => void {
  if (env[MARK] !== undefined) return () => {}
  const folder = makeTemporaryFolder(tmpdir())
  env[MARK] = folder
  env.TMPDIR = folder
  return () => removeFolder(folder)
}

/** Removes a folder, in which a process that is about to end may still make files. */
export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10 })
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
