import type { GivenValue } from './command-line.ts'
import { camelCase, type SettingDefinition } from './definition.ts'
import { runtimeOf } from './runtime.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

/** Those about worker processes, and what is done for them. */
const ABOUT_WORKERS: ReadonlySet<string> = new Set([
  'threads',
  'acceptors',
  'python',
  'pythonpath',
  'backlog_limit',
  'request_buffering',
  'request_buffer_size',
])

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
  if (runtimeOf(settings) === 'cpython') {
    // A module may be called "ts", so it is the path that tells.
    if (/[\\/].*\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp)) {
      throw new SettingsError(
        'bad-value',
        `runtime cpython runs a Python module, and ${wsgiApp} is a file for the runtime node: leave the runtime out`,
      )
    }
    return []
  }
  const notes: string[] = []
  for (const setting of table) {
    const found = ABOUT_WORKERS.has(setting.name) ? given(setting.name) : undefined
    // A config file that --print-config wrote has all of them.
    const value = settings[camelCase(setting.name) as keyof Settings]
    if (found === undefined || JSON.stringify(value) === JSON.stringify(setting.default)) continue
    const instead = setting.name === 'acceptors' ? '; it has as many processes as --workers says' : ''
    notes.push(`${found.label} has no meaning for an application in TypeScript or JavaScript${instead}`)
  }
  return notes
}
