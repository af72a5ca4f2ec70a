/** The settings as a configuration of Gunicorn sees them. */
import { camelCase, type SettingDefinition } from './definition.ts'
import { gunicornFacts } from './gunicorn-facts.ts'
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
      if (name === 'raw_env') return [name, assignments(value as Record<string, string>)]
      // Gunicorn has one certificate and one key.
      return [name, setting.type === 'paths' ? ((value as string[])[0] ?? null) : value]
    }),
  )
}

function assignments(environ: Readonly<Record<string, string>>): string[] {
  return Object.entries(environ).map(([name, value]) => `${name}=${value}`)
}
