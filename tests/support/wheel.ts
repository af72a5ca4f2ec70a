import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'
import { hashOf } from './packed.ts'

const cache = join(repository, 'tests', '.cache', 'wheel')

/** What the Python package is made of; the lock files stand for the dependencies in the bundle. */
const SOURCES = [
  ...['dist', 'python', 'packages/wheel', 'scripts', 'package.json', 'LICENSE'],
  ...['package-lock.json', 'node_modules/.package-lock.json'],
]

let making: Promise<string> | undefined

/**
 * Makes the Python package of the build that is under test, and the tools for it, unless a test has
 * done so.
 *
 * @returns the folder with its wheel and its sdist
 */
export function builtWheel(): Promise<string> {
  making ??= makeOnce()
  return making
}

async function makeOnce(): Promise<string> {
  mkdirSync(cache, { recursive: true })
  return await withDirectoryLock(`${cache}.lock`, make)
}

async function make(): Promise<string> {
  const name = hashOf(SOURCES)
  const folder = join(cache, name)
  for (const other of readdirSync(cache))
    if (other !== name) rmSync(join(cache, other), { recursive: true, force: true })
  // The tools are in a folder of their own, which somebody may have removed.
  if (existsSync(folder) && existsSync(wheelTools)) return folder
  rmSync(folder, { recursive: true, force: true })
  const work = mkdtempSync(join(cache, 'new-'))
  const script = join(repository, 'scripts', 'wheel.mjs')
  await promisify(execFile)(process.execPath, [script, '--target', work], { cwd: repository })
  renameSync(work, folder)
  return folder
}

/** The programs of packages/wheel/requirements.txt. */
export const wheelTools = join(repository, 'dist-python', 'tools', 'bin')
