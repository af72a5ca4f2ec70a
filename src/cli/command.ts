/** The `monoceros` command: everything before and after the server itself. */
import { renderHelp, usageLine } from '../settings/help.ts'
import { commandOf, loadSettings, toConfig } from '../settings/load.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'

/** What the command ends with. 3, that the application cannot be loaded, comes from the arbiter. */
export const exitCodes = { stopped: 0, failed: 1, usage: 2 } as const

/** What the command needs from the process around it. */
export interface CommandContext {
  args: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  /** Writes to standard output. */
  out: (text: string) => void
  /** Writes to standard error. */
  err: (text: string) => void
  /** Width of the terminal, in characters. */
  columns?: number | undefined
  /** The width of the terminal that standard error is, or nothing when it is none. */
  errorColumns?: number | undefined
  /**
   * Serves until it is stopped; resolves with the exit code.
   *
   * @param readSettings puts the settings together anew, for a reload: the config file may have
   * changed
   */
  serve: (settings: Settings, readSettings: () => Promise<Settings>) => Promise<number>
}

/**
 * Runs the command.
 *
 * @returns the exit code. It does not throw: a mistake of the user's is one line on standard error,
 * anything else that goes wrong is shown with its stack, for it is a bug.
 */
export async function runCommand(context: CommandContext): Promise<number> {
  try {
    return await obey(context)
  } catch (error) {
    if (error instanceof SettingsError) {
      context.err(`monoceros: ${error.message}\n`)
      if (error.code === 'no-application')
        context.err(`${usageLine}\nTry monoceros --help for all options.\n`)
      return exitCodes.usage
    }
    context.err(`monoceros: ${describe(error)}\n`)
    return exitCodes.failed
  }
}

async function obey(context: CommandContext): Promise<number> {
  // Loaded only where they are wanted, so that --help answers at once.
  const [name, ...args] = context.args
  if (name === 'python') {
    const { runPython } = await import('./python-command.ts')
    return await runPython({ ...context, args })
  }
  if (name === 'install') {
    const { runInstall } = await import('../packages/install-command.ts')
    return await runInstall({ ...context, args, columns: context.errorColumns })
  }
  const command = commandOf(context)
  if (command === 'help') {
    context.out(renderHelp(Math.min(context.columns ?? 100, 120)))
    return exitCodes.stopped
  }
  if (command === 'version') {
    context.out(`monoceros ${version}\n`)
    return exitCodes.stopped
  }
  const { settings, notes } = await loadSettings(context)
  for (const note of notes) context.err(`monoceros: note: ${note}\n`)
  if (command === 'print-config') {
    context.out(`${JSON.stringify(toConfig(settings), null, 2)}\n`)
    return exitCodes.stopped
  }
  if (command === 'check-config') {
    const source = settings.config === null ? '' : ` (with ${settings.config})`
    context.out(`The settings are good${source}\n`)
    return exitCodes.stopped
  }
  return context.serve(withApplication(settings), async () =>
    withApplication((await loadSettings(context)).settings),
  )
}

function withApplication(settings: Settings): Settings {
  if (settings.wsgiApp !== '') return settings
  throw new SettingsError(
    'no-application',
    'No application given: say which one to serve, such as mysite.wsgi:application',
  )
}

/** Our own errors and the system's say enough in their message; a stack is for bugs. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `unexpected error: ${String(error)}`
  const known = 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_')
  return known
    ? error.message
    : `unexpected error, please report it: ${error.stack ?? error.message}`
}
