/** Whether the config file is Python, for those who need nothing else of the settings table. */
import { extname } from 'node:path'
import { camelCase } from './definition.ts'
import { hookSettings } from './sections/hooks.ts'
import type { Settings } from './table.ts'

/** Whether a configuration runs in Python, by its name. */
export function isPythonConfiguration(location: string): boolean {
  return !/^\.(json|[cm]?[jt]s)$/.test(extname(location))
}

/** Whether the configuration file is one of Gunicorn, and defines at least one hook. */
export function hasPythonHooks(settings: Settings): boolean {
  return (
    settings.config !== null &&
    isPythonConfiguration(settings.config) &&
    hookSettings.some(({ name }) => settings[camelCase(name)] !== null)
  )
}
