import { checkApplication } from '../../src/arbiter/check-application.ts'
import { runCommand as runInProcess } from '../../src/cli/command.ts'
import { commandPath } from './build.ts'
import { testPython } from './python.ts'
import { type Exit, type RunningServer, runServer, runToEnd } from './running-server.ts'
import { tlsArguments } from './test-certificate-files.ts'

export type { Exit, RunningServer } from './running-server.ts'

/** How to start our command. */
export interface ServerOptions {
  /** The application, as on the command line: `module:attribute`. */
  app: string
  /**
   * More arguments; without a `-b`/`--bind` among them the server takes a free port of 127.0.0.1.
   */
  args?: string[]
  /** Added to (or, when undefined, taken from) the environment. */
  env?: Record<string, string | undefined>
  /** The working directory, which the application is imported from. */
  cwd?: string
  /** Serve HTTPS, with the test certificate. The tier `tls` does so by default. */
  secure?: boolean
  /** How many files each of its processes may have open (`ulimit -n`). */
  openFiles?: number
}

/**
 * Starts the real command (`node dist/cli/main.js`) with the suite's own virtual environment, and
 * resolves when it answers. It is stopped, and seen to be gone, at the end of the test (or of the
 * file, from a `beforeAll`).
 *
 * @example
 * const server = await startServer({ app: 'flask_app:app', args: ['--workers', '2'], cwd:
 * appsDirectory }) const response = await fetch(server.url)
 */
export function startServer({
  app,
  args = [],
  env = {},
  cwd,
  openFiles,
  secure = process.env.MONOCEROS_TEST_TLS === '1',
}: ServerOptions): Promise<RunningServer> {
  const binds = args.filter((arg) => /^(-b|--bind)/.test(arg)).length
  const address = binds > 0 ? [] : ['--bind', '127.0.0.1:0']
  const all = [commandPath, ...address, ...(secure ? tlsArguments() : []), ...args, app]
  const limited = openFiles !== undefined
  return runServer({
    command: limited ? 'sh' : process.execPath,
    args: limited
      ? ['-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, process.execPath, ...all]
      : all,
    env: commandEnvironment(env),
    cwd,
    findAddresses: (log) =>
      [...log.matchAll(/Listening at (\S+)/g)].map((match) => (match[1] ?? '').replace(/,$/, '')),
    isReady: (log) => (log.match(/Listening at \S+.*\n/g)?.length ?? 0) >= Math.max(1, binds),
    isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
  })
}

/**
 * Runs our command to its end, for `--help`, wrong flags and applications that cannot be loaded.
 */
export function runCommand(
  args: string[],
  options: Pick<ServerOptions, 'env' | 'cwd'> & { timeout?: number } = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  return runToEnd(process.execPath, [commandPath, ...args], {
    ...options,
    env: commandEnvironment(options.env ?? {}),
  })
}

/**
 * Runs our command in this process, up to the start of the server: for mistakes in the settings,
 * which the real process would take a while to start for. Serves nothing.
 *
 * @returns as {@link runCommand}, with the application that it would have served
 */
export async function runCommandHere(
  args: string[],
  { env = {}, cwd = process.cwd() }: Pick<ServerOptions, 'env' | 'cwd'> = {},
): Promise<{ code: number; stdout: string; stderr: string; served: string | null }> {
  const result = { stdout: '', stderr: '', served: null as string | null }
  const code = await runInProcess(args, {
    env,
    cwd,
    stdout: { write: (text) => (result.stdout += text) },
    stderr: { write: (text) => (result.stderr += text) },
    checkApplication,
    serve: async ({ settings, configHost }) => {
      await configHost?.close()
      result.served = settings.wsgiApp
      return 0
    },
  })
  return { code, ...result }
}

/**
 * The environment of a user who has activated the suite's virtual environment, and has set nothing
 * of ours.
 */
function commandEnvironment(additions: Record<string, string | undefined>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, VIRTUAL_ENV: testPython().prefix }
  for (const name of Object.keys(env)) {
    if (
      /^(MONOCEROS_(?!CACHE$)|NODE_TLS_REJECT_UNAUTHORIZED$|GUNICORN_|WEB_CONCURRENCY$|PORT$|PYTHON|FORCE_COLOR$|NODE_OPTIONS$|VITEST|NODE_ENV$)/.test(
        name,
      )
    ) {
      delete env[name]
    }
  }
  return { ...env, ...additions }
}
