/** The settings as a configuration of Gunicorn sees them. */
import { extname } from 'node:path'
import { camelCase, type SettingDefinition } from './definition.ts'
import { gunicornFacts } from './gunicorn-facts.ts'
import { hookSettings } from './sections/hooks.ts'
import { type Settings, settingsTable } from './table.ts'
import { writeValue } from './value.ts'

const table: readonly SettingDefinition[] = settingsTable
const ours = new Map(
  gunicornFacts.map(({ name }) => [
    name,
    table.find((setting) => setting.name === name || setting.gunicornName === name),
  ]),
)

/**
 * What hooks see in `server.cfg` and `worker.cfg`: the settings that Gunicorn has, by its names.
 * Those that only Gunicorn has are at its defaults.
 */
export function gunicornSettingsOf(settings: Settings): Record<string, unknown> {
  return Object.fromEntries(
    gunicornFacts.map(({ name, default: usual }) => {
      const setting = ours.get(name)
      if (setting === undefined || setting.type === 'hook') return [name, usual]
      const value = writeValue(setting, settings[camelCase(setting.name) as keyof Settings])
      return [name, name === 'raw_env' ? assignments(value as Record<string, string>) : value]
    }),
  )
}

function assignments(environ: Readonly<Record<string, string>>): string[] {
  return Object.entries(environ).map(([name, value]) => `${name}=${value}`)
}

/** Whether the configuration file is one of Gunicorn, and defines at least one hook. */
export function hasPythonHooks(settings: Settings): boolean {
  return (
    settings.config !== null &&
    isPythonConfiguration(settings.config) &&
    hookSettings.some(({ name }) => settings[camelCase(name)] !== null)
  )
}

/** Whether a configuration runs in Python, by its name. */
export function isPythonConfiguration(location: string): boolean {
  return !/^\.(json|[cm]?[jt]s)$/.test(extname(location))
}
