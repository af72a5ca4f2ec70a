/** What pip gets when it runs in the embedded interpreter: arguments, variables, folders. */
import { readdirSync, statSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import type { Mount } from '../runtimes/pyodide/files/mounts.ts'
import type { InstallFolder } from './install-folder.ts'
import type { InstallOptions } from './install-options.ts'

export function pipArguments(options: InstallOptions, cache: string | null): string[] {
  const own = [
    '--only-binary=:all:',
    '--disable-pip-version-check',
    '--no-input',
    '--keyring-provider=disabled',
    '--progress-bar=off',
    cache === null ? '--no-cache-dir' : `--cache-dir=${cache}`,
  ]
  return [...own, ...options.pip]
}

/** PIP_* variables about building, or about another target folder. They do not apply here. */
const MEANINGLESS =
  /^PIP_(TARGET|USER|PREFIX|ROOT|SRC|PYTHON|PLATFORM|ABI|IMPLEMENTATION|PYTHON_VERSION|NO_BINARY|ONLY_BINARY|PREFER_BINARY|EDITABLE|DRY_RUN|REPORT|LOG|LOG_FILE|ISOLATED|BUILD_CONSTRAINT|NO_BUILD_ISOLATION|USE_PEP517|CONFIG_SETTINGS|REQUIREMENT|REQUIREMENTS_FROM_SCRIPT|GROUP|PROGRESS_BAR|VERBOSE|QUIET|DEBUG)$/

/**
 * The variables for pip. It needs the user's, for its own settings, proxies, .netrc and
 * `${VARIABLES}` in requirements files.
 */
export function environmentFor(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
  temporary: string,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !MEANINGLESS.test(name) && !name.startsWith('PYTHON'))
      environment[name] = value
  }
  return { ...environment, HOME: home, TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: '0' }
}

/** The folder of pip's cache; null for none. A setting in pip.conf is not taken into account. */
export function pipCacheFolder(
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  home: string,
  asked: string | null,
): string | null {
  if (asked !== null) return resolve(cwd, asked)
  // Any value counts, as in pip.
  if (env.PIP_NO_CACHE_DIR) return null
  if (env.PIP_CACHE_DIR) return resolve(cwd, env.PIP_CACHE_DIR)
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches', 'pip')
  const { XDG_CACHE_HOME: base } = env
  return join(base && isAbsolute(base) ? base : join(home, '.cache'), 'pip')
}

/** Folders that the interpreter has itself, or cannot use. */
const NOT_MOUNTED = new Set([
  'dev',
  'proc',
  'sys',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'bin',
  'sbin',
  'boot',
])

/**
 * pip may read any path that a requirements file or a setting names, as it could outside. It writes
 * to the copy of the folder and to its caches only. Nothing that is installed is run.
 */
export function mountsFor(folder: InstallFolder, caches: readonly string[]): Mount[] {
  const readable = readdirSync('/')
    .filter((name) => !NOT_MOUNTED.has(name) && isFolder(`/${name}`))
    .map((name) => ({ path: `/${name}`, readOnly: true }))
  const writable = [folder.stage, folder.temporary, ...caches].map((path) => ({
    path,
    readOnly: false,
  }))
  return [...readable, ...writable]
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
