/** `monoceros ctl`: asks a running server, and tells it what to do. */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { isRunning } from '../process/other-process.ts'
import type { TextOutput } from '../process/text-output.ts'
import { ControlFailure, type ControlTarget, callServer } from './control-client.ts'
import {
  type CtlArguments,
  CtlUsageError,
  parseCtlArguments,
  wholeNumber,
} from './ctl-arguments.ts'
import { findServer } from './find-server.ts'
import type {
  ActionName,
  ActionResults,
  ControlConfiguration,
  ControlLog,
  ControlRequests,
  ControlStatus,
  Envelope,
} from './protocol.ts'
import { harmlessJson, harmlessLines, plural } from './tables.ts'
import {
  configurationView,
  logView,
  queueView,
  requestsView,
  restartsView,
  slowView,
  statusView,
  workersView,
} from './views.ts'

/** What the command uses of the process around it. */
export interface CtlContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

export const CTL_HELP = `Usage: monoceros ctl [OPTIONS] COMMAND

Asks a running server, and tells it what to do.

Questions:
  status            State, processes, queue, the last reload and its error
  workers           What each worker is doing
  requests          Requests in progress: age, state, worker and path
  queue             Requests that wait for a worker, and what is held for clients
  restarts          Workers and acceptors that were restarted, and why
  slow              Requests that ran for slow_request, with their stacks
  errors            The newest errors, with their tracebacks
  log               The newest entries of the error log
  config [--all]    The settings in force, and where each comes from

Profiles (see docs/guides/profile.md):
  profile           Sample what the application does, for some seconds
  memory            What allocates memory that stays; or a heap snapshot (TypeScript)
      --seconds N            How long [10]
      --output FILE          Write FILE; its name tells the format
      --format FORMAT        svg, speedscope, pprof, collapsed, cpuprofile, json; heapsnapshot
      --hertz N              Samples a second [100]
      --weight wall|cpu      The time that passes, or that in which it runs [wall]
      --worker PID           Only that worker
      --top N                Lines of memory [20]

Actions:
  reload            Load settings and application again (HUP); waits for the result
  scale N           Set the number of workers; +N and -N change it (TTIN, TTOU)
  restart PID       Replace one worker or acceptor: the new one first
  drain             Stop the workers, keep the sockets (WINCH); reload starts them again
  log-level LEVEL   Change the level of the error log until the next reload
  reopen            Open the log files again (USR1)
  stop              Stop gracefully (TERM) and wait for the end; --quick ends at once

Options:
  -s, --control-socket PATH  The server's control socket
      --pid-file FILE        The server's pid file
  -p, --pid PID              The server's process; only needed if you run several servers
      --json                 JSON instead of tables
      --timeout SECONDS      How long the server may take to answer [5]
      --no-wait              Do not wait for the end of a stop
  -h, --help                 Show this text

Exit statuses: 0 done, 1 failed, 2 usage, 3 no server, 4 no answer, 5 refused, 6 other version
`

/** A longer time to stop than any `graceful_timeout` is a mistake. */
const STOP_LIMIT_MS = 24 * 3600 * 1000
const STOP_LOOK_MS = 50
/** How long a server that stops may take to say whether it is another one, in milliseconds. */
const STOP_ASK_MS = 1000

/**
 * Runs `monoceros ctl`.
 *
 * @param args the arguments after `ctl`
 * @returns the exit status, one of `EXIT.ctl`
 */
export async function runCtl(args: readonly string[], context: CtlContext): Promise<number> {
  const { stdout, stderr } = context
  let json = args.includes('--json')
  try {
    // Only these have options of their own.
    const profiling = args.some((word) => word === 'profile' || word === 'memory')
    const profiles = profiling ? await import('./profile-command.ts') : null
    const own = profiles?.profileArguments(args) ?? null
    const given = parseCtlArguments(own?.rest ?? args)
    json = given.json
    const [command, ...rest] = given.words
    if (given.help) {
      stdout.write(CTL_HELP)
      return EXIT.ctl.DONE
    }
    if (command === undefined)
      throw new CtlUsageError(coded('MONO6001', 'a command is missing, such as status'))
    if (profiles !== null && own !== null && (command === 'profile' || command === 'memory')) {
      insistOnNumber(rest, 0, '')
      const write = (text: string | Uint8Array) => void stdout.write(text)
      const run = command === 'profile' ? profiles.runProfile : profiles.runMemory
      profiles.checkFormat(command, own.options)
      await run(await target(given, context), own.options, { cwd: context.cwd, json, write })
      return EXIT.ctl.DONE
    }
    const obey = Object.hasOwn(COMMANDS, command) ? COMMANDS[command]! : null
    if (obey === null) {
      const known = [...Object.keys(COMMANDS), 'profile', 'memory'].join(', ')
      throw new CtlUsageError(
        coded('MONO6001', `there is no command ${JSON.stringify(command)}; there are ${known}`),
      )
    }
    const call = obey.prepare(rest, given)
    const server = await target(given, context)
    const content = await callServer<object>(server, {
      ...call,
      withinMs: call.withinMs ?? given.timeout * 1000,
    })
    await obey.afterwards?.(server, given, content.pid)
    const text = json ? harmlessJson(content) : harmlessLines(obey.view(content, given).join('\n'))
    stdout.write(`${text}\n`)
    return EXIT.ctl.DONE
  } catch (error) {
    const known = error instanceof ControlFailure || error instanceof CtlUsageError
    if (!known) throw error
    const status = error instanceof ControlFailure ? error.status : EXIT.ctl.USAGE
    if (json) stdout.write(`${harmlessJson({ error: { status, message: error.message } })}\n`)
    stderr.write(`monoceros ctl: ${harmlessLines(error.message)}\n`)
    return status
  }
}

/** @throws ControlFailure */
export function target(
  { server }: Pick<CtlArguments, 'server'>,
  { env, cwd }: Pick<CtlContext, 'env' | 'cwd'>,
): Promise<ControlTarget> {
  const at = (path: string | null) =>
    path === null || isAbsolute(path) ? path : resolve(cwd, path)
  const named = { ...server, socket: at(server.socket), pidFile: at(server.pidFile) }
  return findServer(named, { env, uid: process.geteuid?.() ?? 0 })
}

interface Call {
  readonly method: 'GET' | 'POST'
  readonly name: string
  readonly given?: object
  /** Instead of the timeout of the command. */
  readonly withinMs?: number
}

interface Command {
  /** @throws CtlUsageError */
  prepare(words: readonly string[], given: CtlArguments): Call
  /**
   * Before the answer is shown.
   *
   * @param pid the process that has answered, as it calls itself
   * @throws ControlFailure
   */
  afterwards?(server: ControlTarget, given: CtlArguments, pid: number): Promise<void>
  view(answer: object, given: CtlArguments): readonly string[]
}

function question<Content>(
  name: string,
  view: (content: Content & Envelope, given: CtlArguments) => readonly string[],
): Command {
  return {
    prepare: (words) => {
      insistOnNumber(words, 0, '')
      return { method: 'GET', name }
    },
    view: (answer, given) => view(answer as Content & Envelope, given),
  }
}

function action<Name extends ActionName>(
  name: Name,
  argument: string,
  given: (words: readonly string[], options: CtlArguments) => object,
  view: (result: ActionResults[Name]) => string,
  more: Partial<Pick<Command, 'afterwards'>> & { withinMs?: number } = {},
): Command {
  const { withinMs, ...rest } = more
  return {
    prepare: (words, options) => {
      insistOnNumber(words, argument === '' ? 0 : 1, argument)
      const call = { method: 'POST', name, given: given(words, options) } as const
      return withinMs === undefined ? call : { ...call, withinMs }
    },
    view: (answer) => [view(answer as ActionResults[Name])],
    ...rest,
  }
}

const nothing = () => ({})

const COMMANDS: Readonly<Record<string, Command>> = {
  status: question<ControlStatus>('status', statusView),
  workers: question<ControlStatus>('status', workersView),
  requests: question<ControlRequests>('requests', requestsView),
  queue: question<ControlStatus>('status', queueView),
  restarts: question<ControlStatus>('status', restartsView),
  slow: question<ControlStatus>('status', slowView),
  errors: question<ControlStatus>('status', ({ errors }) => logView(errors)),
  log: question<ControlLog>('log', ({ entries }) => logView(entries)),
  config: question<ControlConfiguration>('configuration', (content, { all }) =>
    configurationView(content, all),
  ),
  reload: action(
    'reload',
    '',
    nothing,
    ({ seconds, generation }) => `Reloaded in ${seconds.toFixed(1)} s; generation ${generation}`,
    // `load_timeout` of the server ends it.
    { withinMs: Number.POSITIVE_INFINITY },
  ),
  scale: action(
    'scale',
    'N',
    scaleArguments,
    ({ workers }) => `Changing to ${plural(workers, 'worker')}`,
  ),
  restart: action(
    'restart',
    'PID',
    ([pid = '']) => ({ pid: wholeNumber('restart', pid) }),
    ({ restarting }) => `Starting a replacement of process ${restarting}`,
  ),
  drain: action(
    'drain',
    '',
    nothing,
    () => 'Draining; monoceros ctl reload starts the workers again',
  ),
  'log-level': action(
    'log-level',
    'LEVEL',
    ([level]) => ({ level }),
    ({ level, before }) => `The level is ${level} until the next reload; it was ${before}`,
  ),
  reopen: action('reopen', '', nothing, () => 'Reopened the log files'),
  stop: action(
    'stop',
    '',
    (_words, { quick }) => ({ mode: quick ? 'quick' : 'graceful' }),
    () => 'Stopping',
    { afterwards: async (server, { wait }, pid) => (wait ? await ended(server, pid) : undefined) },
  ),
}

function scaleArguments([number = '']: readonly string[]): object {
  if (!/^[+-]?[0-9]{1,5}$/.test(number))
    throw new CtlUsageError(
      coded('MONO6001', `scale: expected a number of workers, got ${JSON.stringify(number)}`),
    )
  return /^[+-]/.test(number) ? { by: Number(number) } : { workers: Number(number) }
}

function insistOnNumber(words: readonly string[], count: number, argument: string): void {
  if (words.length > count)
    throw new CtlUsageError(
      coded('MONO6001', `there is an argument too many: ${JSON.stringify(words[count])}`),
    )
  if (words.length < count)
    throw new CtlUsageError(coded('MONO6001', `the argument ${argument} is missing`))
}

/**
 * Resolves when the server has ended. If its process is not known, that is when it has removed its
 * socket, which is its last act but one, or when its successor answers there.
 *
 * @param answered how the process calls itself: in a container, that is another number
 */
async function ended({ path, pid }: ControlTarget, answered: number): Promise<void> {
  const until = performance.now() + STOP_LIMIT_MS
  while (performance.now() < until) {
    const over = pid === null ? await isLeft(path, answered) : !isRunning(pid)
    if (over) return
    await sleep(STOP_LOOK_MS)
  }
}

/** Whether that process has left a socket. */
async function isLeft(path: string, process: number): Promise<boolean> {
  if (!existsSync(path)) return true
  try {
    const call = { method: 'GET', name: 'status', withinMs: STOP_ASK_MS } as const
    return (await callServer<object>({ path, pid: null }, call)).pid !== process
  } catch (error) {
    if (!(error instanceof ControlFailure)) throw error
    return error.status === EXIT.ctl.NO_SERVER || error.status === EXIT.ctl.OTHER_VERSION
  }
}
