import { commandOf, loadSettings, type SettingsSources } from '../settings/load.ts'
import { SettingsError } from '../settings/settings-error.ts'

/**
 * Whether a command with these arguments needs no application to be added: it names one (or its
 * config file does), it only asks for something such as `--help`, or it is wrong and should say so
 * itself. `npm start` serves the example otherwise.
 */
export async function namesApplication(sources: SettingsSources): Promise<boolean> {
  try {
    if (commandOf(sources) !== undefined) return true
    return (await loadSettings(sources)).settings.wsgiApp !== ''
  } catch (error) {
    if (error instanceof SettingsError) return true
    throw error
  }
}
