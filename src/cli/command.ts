/** The `monoceros` command: everything except the server itself. */
import type { ConfigHost } from '../config/config-host.ts'
import {
  commandOf,
  hooksOf,
  type LoadedSettings,
  loadSettings,
  toConfig,
} from '../config/load-settings.ts'
import { type Coded, coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { insistOnNode, insistOnUnix } from '../process/other-runtime.ts'
import type { PythonCommand } from '../process/python-command.ts'
import type { TextOutput } from '../process/text-output.ts'
import { renderHelp, USAGE_LINE } from '../settings/help.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'

const COMMAND = 'The command monoceros'
/** What to do on Bun and Deno. */
const INSTEAD =
  'Install Node.js 20.19 or newer, and run it with npx monoceros, without --bun or deno.'

/** What the command uses of the process around it. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The working directory, absolute. */
  readonly cwd: string
  /** What the command of the Python package says, if that is what the user has called. */
  readonly pythonCommand?: PythonCommand | null
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  /** Whether notes about settings are shown on `stderr`; by default they are. */
  readonly showsNotes?: boolean
  /**
   * Serves until the server is stopped; resolves with the exit status.
   *
   * @param read loads the settings again, for a reload: the config file may have changed;
   * `previous` is the `configHost` of the settings in force
   */
  serve(
    loaded: LoadedSettings,
    read: (signal?: AbortSignal, previous?: ConfigHost | null) => Promise<LoadedSettings>,
  ): Promise<number>
  /** Loads the application, and resolves with the reason if that is not possible. */
  checkApplication(settings: Settings): Promise<{ message: Coded; status: number } | null>
}

/**
 * Runs the command up to the start of the server, which is `context.serve`. It neither throws nor
 * ends the process: a user's mistake is one line on standard error; any other error is shown with
 * its stack, because it is a bug.
 *
 * @param args the arguments after `monoceros`
 * @returns the exit status, one of `EXIT.server`, or of `EXIT` for that subcommand
 * @example
 * let errors = ''
 * const status = await runCommand(['--workers', 'x', 'site:app'], {
 *   env: {},
 *   cwd: '/srv',
 *   stdout: process.stdout,
 *   stderr: { write: (text) => (errors += text) },
 *   serve: async () => 0,
 *   checkApplication: async () => null,
 * })
 * // 2; errors begins with 'monoceros: --workers: expected a whole number'
 */
export async function runCommand(
  args: readonly string[],
  context: CommandContext,
): Promise<number> {
  try {
    return await obey(args, context)
  } catch (error) {
    if (error instanceof SettingsError) {
      context.stderr.write(`monoceros: ${error.message}\n`)
      if (error.code === 'no-application')
        context.stderr.write(`${USAGE_LINE}\nTry monoceros --help for all options.\n`)
      return EXIT.server.USAGE
    }
    const text = describe(error)
    context.stderr.write(`monoceros: ${text}\n`)
    return EXIT.server.FAILED
  }
}

async function obey(args: readonly string[], context: CommandContext): Promise<number> {
  const { stdout, stderr } = context
  // Subcommands are imported only when they are used, so that --help answers at once.
  const [name, ...rest] = args
  const { pythonCommand = null } = context
  if (pythonCommand !== null && (name === 'python' || name === 'install')) {
    const text = noEmbeddedPython(name, pythonCommand.executable)
    stderr.write(`monoceros: ${text}\n`)
    return EXIT.server.USAGE
  }
  if (name === 'python' || name === 'install') insistOnNode(COMMAND, INSTEAD)
  if (name === 'python') {
    const { runPython } = await import('./python-command.ts')
    return await runPython(rest, context)
  }
  if (name === 'install') {
    const { runInstall } = await import('../packages/install-command.ts')
    return await runInstall(rest, context)
  }
  if (name === 'ctl') {
    const { runCtl } = await import('../control/ctl-command.ts')
    return await runCtl(rest, context)
  }
  if (name === 'explain') {
    const { runExplain } = await import('./explain-command.ts')
    return runExplain(rest, context)
  }
  if (name === 'top') {
    const { runTop } = await import('../control/top-command.ts')
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY
    const terminal = isTerminal ? { input: process.stdin, output: process.stdout } : null
    return await runTop(rest, { ...context, terminal })
  }
  if (name === 'learn') {
    insistOnNode(COMMAND, INSTEAD)
    insistOnUnix(COMMAND)
    const { prepareLearn } = await import('./learn-command.ts')
    const server = await prepareLearn(rest, context)
    // Settings of the environment are for applications of the user.
    const own = { ...context, env: { PATH: context.env.PATH }, pythonCommand: null }
    return typeof server === 'number' ? server : await obey(server, own)
  }
  const sources = {
    args,
    env: context.env,
    cwd: context.cwd,
    ...(pythonCommand !== null && { pythonCommand }),
  }
  const given = commandOf(sources)
  if (given === 'help') {
    stdout.write(renderHelp(Math.min(stdout.columns ?? 100, 120), pythonCommand === null))
    return EXIT.server.STOPPED
  }
  if (given === 'version') {
    stdout.write(`monoceros ${version}\n`)
    return EXIT.server.STOPPED
  }
  insistOnNode(COMMAND, INSTEAD)
  insistOnUnix(COMMAND)
  const loaded = await loadSettings(sources)
  const { settings, notes } = loaded
  const command = given ?? loaded.command ?? undefined
  if (context.showsNotes !== false)
    for (const note of notes) stderr.write(`monoceros: note: ${note}\n`)
  if (command !== undefined) await loaded.configHost?.close()
  if (command === 'print-config') {
    stdout.write(`${JSON.stringify(toConfig(settings), null, 2)}\n`)
    const hooks = hooksOf(settings)
    if (hooks.length > 0)
      stderr.write(
        `monoceros: note: left out, because JSON cannot hold functions: ${hooks.join(', ')}\n`,
      )
    return EXIT.server.STOPPED
  }
  if (command === 'check-config') return await check(loaded, context)
  return await context.serve(await withApplication(loaded), async (signal, previous = null) =>
    withApplication(
      await loadSettings({ ...sources, previous, ...(signal !== undefined && { signal }) }),
    ),
  )
}

/** Both subcommands are for the embedded Python, which the Python package does not have. */
function noEmbeddedPython(name: 'python' | 'install', executable: string): string {
  const instead = name === 'install' ? `${executable} -m pip install` : executable
  return coded(
    'MONO1008',
    `${name} is for the embedded Python, which is not part of this package; use ${instead}`,
  )
}

/** Loads the application, too. */
async function check(
  { settings, configuration }: LoadedSettings,
  { stdout, stderr, checkApplication }: CommandContext,
): Promise<number> {
  const source = configuration === null ? '' : ` (${configuration})`
  if (settings.wsgiApp === '') {
    stdout.write(`Configuration is valid${source}; it names no application\n`)
    return EXIT.server.STOPPED
  }
  const failure = await checkApplication(settings)
  if (failure !== null) {
    stderr.write(`monoceros: ${failure.message}\n`)
    return failure.status
  }
  stdout.write(`Configuration is valid${source}, and ${settings.wsgiApp} can be loaded\n`)
  return EXIT.server.STOPPED
}

async function withApplication(loaded: LoadedSettings): Promise<LoadedSettings> {
  if (loaded.settings.wsgiApp !== '') return loaded
  await loaded.configHost?.close()
  throw new SettingsError(
    'no-application',
    coded(
      'MONO1006',
      'No application given. Name the one to serve, such as mysite.wsgi:application',
    ),
  )
}

/** Errors with a code explain themselves (ours, the system's); the stack of others is needed. */
function describe(error: unknown): Coded {
  if (!(error instanceof Error)) return coded('MONO5902', `unexpected error: ${String(error)}`)
  const known = 'code' in error && typeof error.code === 'string' && !error.code.startsWith('ERR_')
  return known
    ? coded('MONO1013', error.message)
    : coded('MONO5902', `unexpected error, please report it: ${error.stack ?? error.message}`)
}
