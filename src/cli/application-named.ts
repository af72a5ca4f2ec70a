import { commandOf, loadSettings, type SettingsSources } from '../config/load-settings.ts'
import { SettingsError } from '../settings/settings-error.ts'

/**
 * Whether a command with these arguments is complete without an added application. It is if it or
 * its config file names one, if it only asks for something such as `--help`, or if it has a mistake
 * that it should report itself. Otherwise `npm start` adds the example.
 */
export async function namesApplication(sources: SettingsSources): Promise<boolean> {
  try {
    if (commandOf(sources) !== undefined) return true
    const { settings, configHost } = await loadSettings(sources)
    await configHost?.close()
    return settings.wsgiApp !== ''
  } catch (error) {
    if (error instanceof SettingsError) return true
    throw error
  }
}
