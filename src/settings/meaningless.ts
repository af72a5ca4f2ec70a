import type { GivenValue } from './command-line.ts'
import { camelCase, type SettingDefinition } from './definition.ts'
import { runtimeOf } from './runtime.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

type Runtime = ReturnType<typeof runtimeOf>

const BOTH_PYTHONS: readonly Runtime[] = ['cpython', 'pyodide']

/** Those that not every runtime has a use for, and which have. */
const MEANT_FOR: Readonly<Record<string, readonly Runtime[]>> = {
  threads: ['cpython'],
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

const RUNS: Readonly<Record<Runtime, string>> = {
  node: 'an application in TypeScript or JavaScript',
  cpython: "the system's Python",
  pyodide: 'the embedded Python',
}

/** What to do, or what is done, in the place of a setting. */
const INSTEAD: Readonly<Record<string, string>> = {
  'node acceptors': '; it has as many processes as --workers says',
  'pyodide acceptors':
    ', which has one: file locks, such as SQLite needs, do not hold between processes there',
  'pyodide threads': ', which has no threads; use --workers',
  'cpython inherit_env': ', which has them always',
  'cpython mounts': ', which sees all files',
}

/**
 * Notes on settings that were given although the application has no use for them.
 *
 * @param given what was set by hand, of a name
 * @throws SettingsError where the application cannot be what the runtime runs
 */
export function notesOnMeaningless(
  table: readonly SettingDefinition[],
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
): string[] {
  const { wsgiApp } = settings
  const runtime = runtimeOf(settings)
  // A module may be called "ts", so it is the path that tells.
  if (runtime !== 'node' && /[\\/].*\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp)) {
    throw new SettingsError(
      'bad-value',
      `runtime ${runtime} runs a Python module, and ${wsgiApp} is a file for the runtime node: leave the runtime out`,
    )
  }
  // Which Python it will be is known only when one was asked for.
  const possible = settings.runtime === 'auto' && runtime !== 'node' ? BOTH_PYTHONS : [runtime]
  const notes: string[] = []
  for (const setting of table) {
    const { name } = setting
    const meant = MEANT_FOR[name]
    if (meant === undefined || meant.some((one) => possible.includes(one))) continue
    const found = given(name)
    // A config file that --print-config wrote has all of them.
    const value = settings[camelCase(name) as keyof Settings]
    if (found === undefined || JSON.stringify(value) === JSON.stringify(setting.default)) continue
    notes.push(
      `${found.label} has no meaning for ${RUNS[runtime]}${INSTEAD[`${runtime} ${name}`] ?? ''}`,
    )
  }
  return notes
}
