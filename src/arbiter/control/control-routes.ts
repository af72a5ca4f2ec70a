/** What can be asked and told over HTTP, for the control socket and others that serve it. */
import type { Socket } from 'node:net'
import type { Answer } from '../../acceptor/questions.ts'
import type {
  AcceptorState,
  ActionName,
  ActionResults,
  ControlConfiguration,
  ControlError,
  ControlLog,
  ControlRequests,
  ControlStatus,
  ControlWorker,
  Envelope,
  ErrorCode,
  LogRecord,
} from '../../control/protocol.ts'
import { PROTOCOL } from '../../control/protocol.ts'
import { type LogLevel, RANKS } from '../../logging/log-level.ts'
import { version } from '../../settings/version.ts'
import type { ArbiterActions } from '../actions.ts'
import { processUsages } from './process-usage.ts'
import { shownConfiguration } from './shown-configuration.ts'

/** How long an acceptor may take to answer, in milliseconds. */
const ANSWER_MS = 1000
/** How many requests an acceptor lists. */
const REQUESTS_LIMIT = 1000
/** How many errors the status has. */
const ERRORS_SHOWN = 20
/** How many slow requests it has. */
const SLOW_SHOWN = 20
/** How many workers a server may be scaled to by a command; a mistake must not fill the memory. */
const MOST_WORKERS = 10_000

/** A status of HTTP, and the JSON that is sent with it. */
export interface RouteAnswer {
  readonly status: number
  readonly content: Envelope & Record<string, unknown>
}

/** Who asks. */
export interface Asker {
  /** For the log. */
  readonly cause: string
  /** Aborted when it has left without its answer. */
  readonly gone: AbortSignal
}

/** Answers somebody on a connection, for as long as it is there. */
export async function whileConnected<Result>(
  socket: Socket,
  answer: (gone: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const gone = new AbortController()
  const left = () => gone.abort()
  socket.once('close', left)
  try {
    return await answer(gone.signal)
  } finally {
    socket.off('close', left)
  }
}

const STATUSES: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  'not-found': 404,
  'bad-method': 405,
  'not-now': 409,
  failed: 422,
  internal: 500,
}

class Refused extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

type Arguments = Readonly<Record<string, unknown>>

/**
 * The routes: `GET /status`, `/requests`, `/log`, `/configuration`, and `POST` of an action's name.
 * Whoever serves them decides who may ask.
 */
export class ControlRoutes {
  readonly #actions: ArbiterActions
  readonly #pid: number

  constructor(actions: ArbiterActions, pid: number) {
    this.#actions = actions
    this.#pid = pid
  }

  /**
   * @param path `/status`; a query is ignored
   * @param body JSON, or empty
   */
  async answer(
    method: string,
    path: string,
    body: string,
    { cause, gone }: Asker,
  ): Promise<RouteAnswer> {
    const name = path.split('?', 1)[0]!.replace(/^\//, '')
    try {
      return this.#reply(200, await this.#route(method, name, body, { cause, gone }))
    } catch (error) {
      const code = error instanceof Refused ? error.code : 'internal'
      const message =
        error instanceof Refused ? error.message : ((error as Error).stack ?? `${error}`)
      const shown: ControlError = { code, message }
      return this.#reply(STATUSES[code], { error: shown })
    }
  }

  #reply(status: number, content: object): RouteAnswer {
    return {
      status,
      content: { protocol: PROTOCOL, monoceros: version, pid: this.#pid, ...content },
    }
  }

  async #route(method: string, name: string, body: string, asker: Asker): Promise<object> {
    if (Object.hasOwn(this.#questions, name)) {
      if (method !== 'GET') throw new Refused('bad-method', `Ask for ${name} with GET`)
      return await this.#questions[name]!()
    }
    if (Object.hasOwn(this.#commands, name)) {
      if (method !== 'POST') throw new Refused('bad-method', `${name} is an action: use POST`)
      return await this.#commands[name as ActionName](argumentsOf(body), asker)
    }
    const known = [...Object.keys(this.#questions), ...Object.keys(this.#commands)].join(', ')
    throw new Refused(
      'not-found',
      `There is no command ${JSON.stringify(name)}; there are ${known}`,
    )
  }

  readonly #questions: Readonly<Record<string, () => object | Promise<object>>> = {
    status: () => this.status(),
    requests: () => this.requests(),
    log: () => this.log(),
    configuration: () => this.configuration(),
  }

  async status(): Promise<ControlStatus> {
    const actions = this.#actions
    const [status, states, errors] = await Promise.all([
      actions.status(),
      actions.ask('state', null, ANSWER_MS),
      this.#logEntries(true),
    ])
    const answers = new Map(states.map((state) => [state.pid, state]))
    const isThread = ({ embedded }: ControlWorker) => embedded ?? status.runtime === 'pyodide'
    const workers = states.flatMap(({ answer }) => answer?.workers ?? [])
    const usages = await processUsages([
      this.#pid,
      ...status.acceptors.map(({ pid }) => pid),
      ...workers.flatMap((worker) => (isThread(worker) ? [] : [worker.pid])),
    ])
    const usage = (pid: number) => usages.get(pid) ?? null
    return {
      state: status.state,
      startedAt: status.startedAt,
      generation: status.generation,
      application: status.application,
      runtime: status.runtime,
      config: status.config,
      addresses: status.addresses,
      workers: status.workers,
      logLevel: actions.logLevel,
      usage: usage(this.#pid),
      acceptors: status.acceptors.map(({ pid, state, startedAt }) => {
        const { answer = null, absent = 'it has just been started' } = answers.get(pid) ?? {}
        const withUsage = answer && {
          ...withoutSlowRequests(answer),
          workers: answer.workers.map((worker) => ({
            ...worker,
            usage: isThread(worker) ? null : usage(worker.pid),
          })),
        }
        return { pid, state, startedAt, absent, usage: usage(pid), answer: withUsage }
      }),
      lastReload: this.#actions.history.lastReload,
      restarts: this.#actions.history.restarts,
      restartCounts: this.#actions.history.counts,
      errors: errors.slice(-ERRORS_SHOWN),
      slowRequests: [
        ...actions.history.blockedLoops,
        ...states.flatMap(({ answer }) => answer?.slowRequests ?? []),
      ]
        .sort((a, b) => a.at - b.at)
        .slice(-SLOW_SHOWN),
      now: Date.now(),
    }
  }

  async requests(): Promise<ControlRequests> {
    const answers = await this.#actions.ask('requests', { limit: REQUESTS_LIMIT }, ANSWER_MS)
    return {
      requests: answers
        .flatMap(({ pid, answer }) =>
          (answer?.requests ?? []).map((request) => ({ ...request, acceptor: pid })),
        )
        .sort((a, b) => b.seconds - a.seconds),
      leftOut: answers.reduce((sum, { answer }) => sum + (answer?.leftOut ?? 0), 0),
      absent: answers.flatMap(({ pid, absent }) =>
        absent === null ? [] : [{ acceptor: pid, reason: absent }],
      ),
    }
  }

  async log(): Promise<ControlLog> {
    return { entries: await this.#logEntries(false) }
  }

  configuration(): ControlConfiguration {
    const { settings, origins } = this.#actions.configuration
    return { settings: shownConfiguration(settings, origins) }
  }

  /** Of all processes, oldest first. */
  async #logEntries(errors: boolean): Promise<LogRecord[]> {
    const { logTail } = this.#actions
    const answers = await this.#actions.ask('log', { errors }, ANSWER_MS)
    const own = (errors ? logTail?.errors : logTail?.entries) ?? []
    return [...own, ...answers.flatMap(({ answer }) => answer ?? [])].sort((a, b) => a.at - b.at)
  }

  readonly #commands: {
    readonly [Name in ActionName]: (
      given: Arguments,
      asker: Asker,
    ) => ActionResults[Name] | Promise<ActionResults[Name]>
  } = {
    reload: async (_given, { cause }) => {
      const begun = performance.now()
      const result = await this.#actions.reload(cause)
      if (!result.reloaded) throw new Refused(this.#isUp ? 'failed' : 'not-now', result.reason)
      const { generation } = await this.#actions.status()
      return { reloaded: true, generation, seconds: (performance.now() - begun) / 1000 }
    },
    scale: (given, { cause }) => this.#scale(given, cause),
    restart: async ({ pid }, { cause }) => {
      if (!isCount(pid)) throw new Refused('bad-request', 'pid must be the number of a process')
      if (!(await this.#actions.restart(pid, cause)))
        throw new Refused('not-found', `No worker or acceptor that serves is process ${pid}`)
      return { restarting: pid }
    },
    drain: (_given, { cause }) => {
      this.#insistOnServing()
      this.#actions.drain(cause)
      return { state: this.#actions.state }
    },
    'log-level': ({ level }, { cause }) => {
      if (typeof level !== 'string' || !Object.hasOwn(RANKS, level))
        throw new Refused('bad-request', `level must be one of ${Object.keys(RANKS).join(', ')}`)
      return { level, before: this.#actions.setLogLevel(level as LogLevel, cause) }
    },
    profile: (given, { gone }) =>
      this.#profiles((routes) => routes.profile(this.#actions, given, gone)),
    memory: (given, { gone }) =>
      this.#profiles((routes) => routes.memory(this.#actions, given, gone)),
    'heap-snapshot': (given) =>
      this.#profiles((routes) => routes.heapSnapshot(this.#actions, given)),
    reopen: (_given, { cause }) => {
      this.#actions.reopenLogs(cause)
      return { reopened: true }
    },
    stop: ({ mode = 'graceful' }, { cause }) => {
      if (mode !== 'graceful' && mode !== 'quick')
        throw new Refused('bad-request', 'mode must be graceful or quick')
      // After this answer, because the end of the server closes the socket.
      setImmediate(() => this.#actions.stop(mode, cause))
      return { stopping: mode }
    },
  }

  /** What takes profiles is imported when one is asked for. */
  async #profiles<Result>(
    take: (routes: typeof import('./profile-routes.ts')) => Promise<Result>,
  ): Promise<Result> {
    const routes = await import('./profile-routes.ts')
    try {
      return await take(routes)
    } catch (error) {
      if (error instanceof routes.ProfileRefused) throw new Refused(error.code, error.message)
      throw error
    }
  }

  #scale({ workers, by }: Arguments, cause: string): ActionResults['scale'] {
    if ((workers === undefined) === (by === undefined))
      throw new Refused('bad-request', 'Give workers, or by')
    const number = workers ?? by
    if (!Number.isSafeInteger(number) || Math.abs(number as number) > MOST_WORKERS)
      throw new Refused('bad-request', `workers must be a whole number up to ${MOST_WORKERS}`)
    if (workers !== undefined && (number as number) < 1)
      throw new Refused('bad-request', 'workers must be at least 1; to stop all of them, use drain')
    const scaled =
      workers === undefined
        ? this.#actions.scale(number as number, cause)
        : this.#actions.scaleTo(number as number, cause)
    if (scaled === null) throw this.#notNow()
    return { workers: scaled }
  }

  get #isUp(): boolean {
    return !['starting', 'stopping'].includes(this.#actions.state)
  }

  #insistOnServing(): void {
    if (!this.#isUp) throw this.#notNow()
  }

  #notNow(): Refused {
    return new Refused('not-now', `The server is ${this.#actions.state}`)
  }
}

/** They are a list of the whole server. */
function withoutSlowRequests({ slowRequests: _, ...rest }: Answer<'state'>): AcceptorState {
  return rest
}

function argumentsOf(body: string): Arguments {
  if (body.trim() === '') return {}
  let given: unknown
  try {
    given = JSON.parse(body)
  } catch {
    throw new Refused('bad-request', 'The body is not JSON')
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Refused('bad-request', 'The body must be a JSON object')
  return given as Arguments
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}
