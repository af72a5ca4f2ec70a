/** Where the package of `monoceros learn` is installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { ownFile } from '../own-files/own-files.ts'
import { version } from '../settings/version.ts'

/** The folder in which the package has its modules, with its version. */
export interface LearnPackage {
  readonly folder: string
  readonly version: string
}

/**
 * Looks for the package `monoceros-learn` where it is installed.
 *
 * @param cwd the working directory
 * @param python the interpreter of the Python package, if that has started the command
 * @returns it may be of another version, which does not fit
 */
export function installedLearn(cwd: string, python: string | null): LearnPackage | null {
  return python === null ? inNodeModules(cwd) : inPython(python)
}

/** Whether the package belongs to this version of the command. */
export function fits(found: LearnPackage): boolean {
  return found.version === version
}

/** The package in the folder of a Python package, if it is there. */
export function inFolder(folder: string): LearnPackage | null {
  const module = join(folder, '__init__.py')
  if (!existsSync(module)) return null
  const text = readFileSync(module, 'utf8')
  return { folder, version: /^__version__ = "(.+)"$/m.exec(text)?.[1] ?? 'unknown' }
}

function inNodeModules(cwd: string): LearnPackage | null {
  // The working directory, if Monoceros itself is elsewhere, such as in the folder of npx.
  for (const place of [ownFile('package.json'), join(cwd, 'package.json')]) {
    try {
      const manifest = createRequire(place).resolve('monoceros-learn/package.json')
      const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
      return { folder: dirname(manifest), version }
    } catch {
      // It may be at the next place.
    }
  }
  return null
}

function inPython(executable: string): LearnPackage | null {
  const program =
    'import importlib.util as u; s = u.find_spec("monoceros_learn"); ' +
    'print(s.submodule_search_locations[0] if s else "", end="")'
  const folder = execFileSync(executable, ['-c', program], { encoding: 'utf8' })
  return folder === '' ? null : inFolder(folder)
}
