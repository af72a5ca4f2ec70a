import type { GivenValue } from './command-line.ts'
import { camelCase, type SettingDefinition } from './definition.ts'
import { runtimeOf } from './runtime.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

type RuntimeName = ReturnType<typeof runtimeOf>

const BOTH_PYTHONS: readonly RuntimeName[] = ['cpython', 'pyodide']

/** Settings that only some runtimes use, with these runtimes. */
const MEANT_FOR: Readonly<Record<string, readonly RuntimeName[]>> = {
  threads: ['cpython'],
  preload_app: ['cpython'],
  max_worker_memory: ['cpython', 'node'],
  max_worker_memory_jitter: ['cpython', 'node'],
  python: ['cpython'],
  acceptors: ['cpython'],
  pythonpath: BOTH_PYTHONS,
  backlog_limit: BOTH_PYTHONS,
  request_buffering: BOTH_PYTHONS,
  request_buffer_size: BOTH_PYTHONS,
  inherit_env: ['pyodide'],
  mounts: ['pyodide'],
  worker_memory: ['pyodide'],
}

const RUNS: Readonly<Record<RuntimeName, string>> = {
  node: 'an application in TypeScript or JavaScript',
  cpython: "the system's Python",
  pyodide: 'the embedded Python',
}

/** What to do instead, or what happens instead, by runtime and setting. */
const INSTEAD: Readonly<Record<string, string>> = {
  'node acceptors': '; --workers sets its number of processes',
  'pyodide acceptors':
    ', which has one: its file locks, which SQLite needs, do not work across processes',
  'pyodide threads': ', which has no threads; use --workers',
  'pyodide max_worker_memory': '; use --worker-memory',
  'pyodide preload_app': ', whose interpreters share nothing',
  'node preload_app': ': each process loads it',
  'cpython inherit_env': ', which always has them',
  'cpython mounts': ', which sees all files',
}

/**
 * Notes on settings that were given but have no effect on this application.
 *
 * @param given the value of a setting that the user gave, by name
 * @throws SettingsError if the runtime cannot run the application
 */
export function notesOnMeaningless(
  table: readonly SettingDefinition[],
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
): string[] {
  const { wsgiApp } = settings
  const runtime = runtimeOf(settings)
  // A Python module may be called "ts", so only a path is certain to be a file.
  if (runtime !== 'node' && /[\\/].*\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp)) {
    throw new SettingsError(
      'bad-value',
      `runtime ${runtime} runs Python modules, but ${wsgiApp} is a file for the runtime node. ` +
        'Leave the runtime out',
    )
  }
  // With `auto`, it is not known yet which Python it will be.
  const possible = settings.runtime === 'auto' && runtime !== 'node' ? BOTH_PYTHONS : [runtime]
  const notes: string[] = []
  for (const setting of table) {
    const { name } = setting
    const meant = MEANT_FOR[name]
    if (meant === undefined || meant.some((one) => possible.includes(one))) continue
    const found = given(name)
    // A config file from --print-config has all settings.
    const value = settings[camelCase(name) as keyof Settings]
    if (found === undefined || JSON.stringify(value) === JSON.stringify(setting.default)) continue
    notes.push(
      `${found.label} has no effect on ${RUNS[runtime]}${INSTEAD[`${runtime} ${name}`] ?? ''}`,
    )
  }
  return notes
}
