/** Finds the config file, and reads it, whatever its kind. */
import { existsSync, statSync } from 'node:fs'
import { extname, isAbsolute, join, relative, resolve } from 'node:path'
import { findSystemPython, InterpreterError } from '../runtimes/cpython/interpreter.ts'
import { DEFAULT_CONFIG_FILES } from '../settings/config-file-names.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { type ConfigHost, startConfigHost } from './config-host.ts'
import { cannotRead, isObjectConfig, readObjectConfig } from './object-config.ts'
import { CONFIGURATION_NAMES, type PythonKeys, pythonKeys } from './python-config.ts'

/** Which configuration to use, and how it was found. */
export interface FoundConfiguration {
  /** An absolute path, or `python:MODULE`. */
  readonly location: string
  /** Its name in messages: relative to the working directory if it is inside. */
  readonly name: string
  /** The other config files in the folder, which are not used. */
  readonly unused: readonly string[]
}

/** A configuration that has been read. */
export interface ReadConfiguration extends PythonKeys {
  /** The process that has run it and keeps its hooks, if it is Python; the caller closes it. */
  readonly host: ConfigHost | null
  /** Whether it is Python that ran on the embedded interpreter. */
  readonly embedded: boolean
}

/** What is needed to run a Python configuration. */
export interface PythonSources {
  /** The setting `python`, as far as it is known before the configuration has been read. */
  readonly python: string | null
  /** The application's folder, likewise. */
  readonly chdir: string
  /** The settings `runtime` and `mounts`, likewise. */
  readonly runtime: 'auto' | 'cpython' | 'pyodide' | 'node'
  readonly mounts: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
  /** The Python configuration in force, for a reload. */
  readonly previous?: ConfigHost | null | undefined
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

/**
 * Reads a configuration: an object in JSON, JavaScript or TypeScript, or a Python file or module of
 * Gunicorn, which runs in a process of its own.
 *
 * @throws SettingsError, InterpreterError
 */
export async function readConfiguration(
  { location, name }: FoundConfiguration,
  cwd: string,
  sources: PythonSources,
): Promise<ReadConfiguration> {
  if (isObjectConfig(location)) {
    const keys = await readObjectConfig(location, name)
    return { ...keys, command: null, host: null, embedded: false }
  }
  if (!location.startsWith('python:')) {
    const found = statSync(location, { throwIfNoEntry: false })
    if (found === undefined) throw cannotRead(name)
    if (found.isDirectory()) throw cannotRead(name, Object.assign(new Error(), { code: 'EISDIR' }))
    if (/^\.(toml|ya?ml|ini|cfg|xml)$/.test(extname(location))) {
      throw new SettingsError(
        'config-file',
        `${name}: a config file is a Python file of Gunicorn, ` +
          'or its name ends in .json, .js, .mjs, .ts or .mts',
      )
    }
  }
  const environment = Object.fromEntries(
    Object.entries(sources.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
  const { host, embedded } = await runPython(location, cwd, { ...sources, env: environment })
  try {
    return { ...pythonKeys(host, name), host, embedded }
  } catch (error) {
    await host.close()
    throw error
  }
}

/** Runs a Python configuration on the Python that its application will have, as far as is known. */
async function runPython(
  location: string,
  cwd: string,
  sources: PythonSources & { readonly env: Readonly<Record<string, string>> },
): Promise<{ host: ConfigHost; embedded: boolean }> {
  const { python, chdir, runtime, env } = sources
  const run = { location, names: CONFIGURATION_NAMES, cwd, env, signal: sources.signal }
  const embedded = async () => {
    // Only where it is needed: its modules take memory and time.
    const { runOnEmbedded } = await import('./embedded-config.ts')
    const host = await runOnEmbedded({ ...run, chdir, mounts: sources.mounts })
    return { host, embedded: true }
  }
  if (runtime === 'pyodide') return await embedded()
  let interpreter: string
  try {
    interpreter = (await findSystemPython(python, chdir, env)).command
  } catch (error) {
    if (!(error instanceof InterpreterError) || runtime !== 'auto' || python !== null) throw error
    return await embedded()
  }
  const { previous } = sources
  return { host: await startConfigHost({ ...run, interpreter, previous }), embedded: false }
}

function displayName(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  return inside === '' || inside.startsWith('..') || isAbsolute(inside) ? path : inside
}
