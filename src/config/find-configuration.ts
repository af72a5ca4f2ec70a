/** Finds the config file, whatever its kind. */
import { existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { DEFAULT_CONFIG_FILES } from '../settings/config-file-names.ts'

/** Which configuration to use, and how it was found. */
export interface FoundConfiguration {
  /** An absolute path, or `python:MODULE`. */
  readonly location: string
  /** Its name in messages: relative to the working directory if it is inside. */
  readonly name: string
  /** The other config files in the folder, which are not used. */
  readonly unused: readonly string[]
}

/**
 * The configuration that `--config` names: `PATH`, `file:PATH` or `python:MODULE`.
 *
 * @param given as on the command line
 * @param cwd the folder that a relative path starts from
 */
export function givenConfiguration(given: string, cwd: string): FoundConfiguration {
  if (given.startsWith('python:')) return { location: given, name: given, unused: [] }
  const path = given.startsWith('file:') ? given.slice('file:'.length) : given
  const location = resolve(cwd, path)
  return { location, name: displayName(location, cwd), unused: [] }
}

/**
 * The first of {@link DEFAULT_CONFIG_FILES} in a folder, or undefined.
 *
 * @param python whether a file of Gunicorn counts
 */
export function findConfiguration(cwd: string, python = true): FoundConfiguration | undefined {
  const [name, ...unused] = DEFAULT_CONFIG_FILES.filter(
    (candidate) => (python || !candidate.endsWith('.py')) && existsSync(join(cwd, candidate)),
  )
  return name === undefined ? undefined : { location: join(cwd, name), name, unused }
}

function displayName(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? path : inside
}
