import { SettingsError } from '../settings/settings-error.ts'
import type { Settings } from '../settings/table.ts'
import { runArbiter } from './arbiter.ts'

export interface ServeOptions {
  /**
   * Puts the settings together anew when HUP arrives; the default is to keep them and to load the
   * application anew only. Where it throws, the error's message goes to the log, and what served
   * before goes on.
   */
  readSettings?: () => Promise<Settings>
}

/**
 * Serves until a signal says stop. Resolves with the status to exit with, when every process it
 * started is gone: 0 stopped, 1 an address, a log file or an interpreter cannot be had, 3 the
 * application cannot be loaded.
 *
 * It is made for a process of its own: this process becomes the arbiter, the signals TERM, INT,
 * QUIT, HUP, USR1, TTIN and TTOU are its own from then on, an error that nobody catches ends it,
 * and it logs as the settings say. So call it once, and exit with what it gives.
 *
 * @param settings from {@link loadSettings}
 * @throws SettingsError `no-application` when the settings name none. What goes wrong later is
 * logged, not thrown.
 * @example
 * const sources = { args: process.argv.slice(2), env: process.env }
 * const { settings } = await loadSettings(sources)
 * const readSettings = async () => (await loadSettings(sources)).settings
 * process.exit(await serve(settings, { readSettings }))
 */
export async function serve(settings: Settings, options: ServeOptions = {}): Promise<number> {
  if (settings.wsgiApp === '') {
    throw new SettingsError(
      'no-application',
      'The settings name no application: give loadSettings one among its args, such as mysite.wsgi:application',
    )
  }
  return await runArbiter(settings, options)
}
