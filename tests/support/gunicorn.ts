import { join } from 'node:path'
import { testPython } from './python.ts'
import { type RunningServer, runServer } from './running-server.ts'
import type { ServerOptions } from './server.ts'

/**
 * Starts the gunicorn of the suite's virtual environment, with the same interface as our own
 * server.
 */
export function startGunicorn({
  app,
  args = [],
  env = {},
  cwd,
}: ServerOptions): Promise<RunningServer> {
  const bound = args.some((arg) => /^(-b|--bind)/.test(arg))
  // Newer ones open a control socket in the home directory, which two of them would fight for.
  const hasControlSocket = !testPython().version.startsWith('3.9.')
  const environment: NodeJS.ProcessEnv = { ...process.env, ...env, PYTHONUNBUFFERED: '1' }
  delete environment.WEB_CONCURRENCY
  return runServer({
    command: join(testPython().prefix, 'bin', 'gunicorn'),
    args: [
      ...(bound ? [] : ['--bind', '127.0.0.1:0']),
      ...(hasControlSocket ? ['--no-control-socket'] : []),
      ...args,
      app,
    ],
    env: environment,
    cwd,
    findAddresses: (log) =>
      [...log.matchAll(/Listening at: (\S+)/g)].map((match) => match[1] ?? ''),
    // Gunicorn listens before its workers are up; a request would wait in the socket's queue.
    isReady: (log) => /Listening at: \S+/.test(log) && /Booting worker with pid/.test(log),
    isWorker: (commandLine) => commandLine.includes('gunicorn'),
    missesTerm: true,
  })
}
