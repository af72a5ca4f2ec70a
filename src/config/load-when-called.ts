import type { LoadedSettings, SettingsSources } from './load-settings.ts'

/**
 * Combines defaults, environment variables, the config file, GUNICORN_CMD_ARGS, MONOCEROS_CMD_ARGS
 * and the command line; later ones override earlier ones. Without arguments, it returns the
 * defaults.
 *
 * @throws SettingsError with a message for the user; InterpreterError if the config file is in
 * Python and there is no Python
 * @example
 * const { settings } = await loadSettings({ args: process.argv.slice(2), env: process.env })
 */
export async function loadSettings(sources: SettingsSources = {}): Promise<LoadedSettings> {
  // Only when it is called: most programs that import the package never do.
  const loading = await import('./load-settings.ts')
  return await loading.loadSettings(sources)
}
