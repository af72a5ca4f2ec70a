/** Reads the config file, whatever its kind. It is loaded only if there is one. */
import { statSync } from 'node:fs'
import { extname } from 'node:path'
import { coded } from '../messages/coded.ts'
import { findSystemPython, InterpreterError } from '../runtimes/cpython/interpreter.ts'
import { loadInstead } from '../runtimes/embedded-package-error.ts'
import { isPythonConfiguration } from '../settings/python-configuration.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { type ConfigHost, startConfigHost } from './config-host.ts'
import type { FoundConfiguration } from './find-configuration.ts'
import { cannotRead, readObjectConfig } from './object-config.ts'
import { CONFIGURATION_NAMES, type PythonKeys, pythonKeys } from './python-config.ts'

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
  if (!isPythonConfiguration(location)) {
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
        coded(
          'MONO1108',
          `${name}: a config file is a Python file of Gunicorn, ` +
            'or its name ends in .json, .js, .mjs, .ts or .mts',
        ),
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
    return await loadInstead(error, embedded)
  }
  const { previous } = sources
  return { host: await startConfigHost({ ...run, interpreter, previous }), embedded: false }
}
