import type { ConfigHost } from '../config/config-host.ts'
import { coded } from '../messages/coded.ts'
import { insistOnNode, insistOnUnix } from '../process/other-runtime.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { GivenSettings } from './arbiter.ts'

export interface ServeOptions {
  /**
   * Loads the settings again, for a reload (SIGHUP). By default, a reload keeps the settings and
   * loads the application only. If it rejects, the message goes to the log, and the previous
   * application and settings stay in use. The signal is aborted when they are not wanted any more.
   * `previous` is the `configHost` of the settings in force: with it, hooks stay in their process.
   */
  readSettings?: (signal: AbortSignal, previous: ConfigHost | null) => Promise<GivenSettings>
}

/**
 * Serves until a signal stops the server.
 *
 * It needs a process of its own. The process becomes the arbiter: it handles the signals TERM, INT,
 * QUIT, HUP, USR1, USR2, TTIN, TTOU and WINCH, it ends at an uncaught error, and it logs to the
 * logs of the settings. So call it once, and exit with the status that it returns.
 *
 * @param given what {@link loadSettings} returns. With its `settings` alone, the hooks of a config
 * file that run beside the arbiter are not called
 * @returns the exit status, when every process that it started is gone: 0 stopped; 1 an address, a
 * log file or an interpreter is not available; 3 the application cannot be loaded
 * @throws SettingsError `no-application` if the settings do not name one. Later errors are logged,
 * not thrown.
 * @throws NeedsNodeError (`needs-node`) on Bun and Deno, NeedsUnixError (`needs-unix`) on Windows
 * @example
 * const sources = { args: process.argv.slice(2), env: process.env }
 * const readSettings = (signal, previous) => loadSettings({ ...sources, signal, previous })
 * process.exit(await serve(await loadSettings(sources), { readSettings }))
 */
export async function serve(given: GivenSettings, options: ServeOptions = {}): Promise<number> {
  insistOnNode('serve', 'Run this program with node.')
  insistOnUnix('serve')
  const settings = 'configHost' in given ? given.settings : given
  if (settings.wsgiApp === '') {
    throw new SettingsError(
      'no-application',
      coded(
        'MONO1006',
        'The settings do not name an application. Add one to the args of loadSettings, ' +
          'such as mysite.wsgi:application',
      ),
    )
  }
  // Only when it is called: most programs that import the package never do.
  const { runArbiter } = await import('./arbiter.ts')
  return await runArbiter(given, options)
}
