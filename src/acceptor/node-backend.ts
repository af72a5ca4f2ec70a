import { ApplicationGateway } from '../gateway/application-gateway.ts'
import type { CallScopes } from '../gateway/call-scope.ts'
import type { GatewayBasics } from '../gateway/context.ts'
import type { RequestInProgress } from '../http/connection.ts'
import type { RequestHandler, RequestSink } from '../http/exchange.ts'
import { LineSplitter } from '../logging/application-output.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { setProcessLog } from '../logging/process-log.ts'
import { coded } from '../messages/coded.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import type { ControlRequest, ControlWorker } from '../observe/server-state.ts'
import { ApplicationLoadError } from '../runtimes/application-load-error.ts'
import { loadApplication } from '../runtimes/node/load-application.ts'
import { applicationPools } from '../runtimes/workers/application-pools.ts'
import type { PoolState } from '../runtimes/workers/pool.ts'
import { SHOWN_OF_WORKER, withoutQuery } from '../runtimes/workers/pool-state.ts'
import type { InspectionQuestion, WorkerFindings } from '../runtimes/workers/worker-inspections.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { errorStream } from '../wsgi/error-stream.ts'
import { failureText } from '../wsgi/failure.ts'
import { closeApplications } from '../wsgi/lifetime.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { type Backend, NO_POOL } from './backend.ts'
import type { ReadyReport, WorkerReport } from './messages.ts'
import { NodeHooks } from './node-hooks.ts'
import { ProcessRecycling } from './process-recycling.ts'
import { tellStacks } from './stack-teller.ts'

export interface NodeBackendOptions {
  readonly settings: Settings
  readonly log: ErrorLog
  readonly gateway: GatewayBasics
  /** Where hooks of requests listen. */
  readonly events: RequestEvents
  /** Where the application's code runs; null without traces. */
  readonly scopes: CallScopes | null
  /** See `StartMessage` in `messages.ts`. */
  readonly stackFd: number | null
  /** The requests of all clients. */
  readonly inProgress: () => readonly RequestInProgress[]
  /** Called when `max_requests` is reached, to replace this process. */
  readonly retire: () => void
  /** Called with the files that the application loads; null without `--reload`. */
  readonly filesLoaded: ((files: readonly string[]) => void) | null
}

async function watchLoadedFiles(loaded: (files: readonly string[]) => void) {
  const { LoadedFiles } = await import('../runtimes/node/loaded-files.ts')
  return new LoadedFiles(loaded)
}

/** @throws ApplicationLoadError for whatever a hook or the config file throws */
async function orNotLoaded<T>(work: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    throw new ApplicationLoadError(
      coded('MONO5501', `A hook of the config file failed\n${failureText(error)}`),
    )
  }
}

/** A TypeScript or JavaScript application in this process. */
export class NodeBackend implements Backend {
  readonly #options: NodeBackendOptions
  readonly #recycling: ProcessRecycling
  #gateway: ApplicationGateway | null = null
  #hooks: NodeHooks | null = null
  /** How many requests it has had. */
  #taken = 0
  /** With which of them it retires. */
  readonly #last: number
  #readyAt: number | null = null

  constructor(options: NodeBackendOptions) {
    this.#options = options
    this.#recycling = new ProcessRecycling(options.settings, (why) => this.#retire(why))
    const { maxRequests, maxRequestsJitter } = options.settings
    this.#last =
      maxRequests === 0
        ? Number.POSITIVE_INFINITY
        : maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1))
  }

  readonly handler: RequestHandler = (head, reply): RequestSink => {
    if (++this.#taken === this.#last) this.#retire('has answered max_requests')
    return this.#gateway!.handle(head, reply)
  }

  async #loadHooks(): Promise<NodeHooks | null> {
    const { settings, log } = this.#options
    this.#hooks = (await orNotLoaded(NodeHooks.load(settings, log))) ?? null
    return this.#hooks
  }

  #retire(why: string): void {
    this.#recycling.stop()
    this.#options.log.info(`This process ${why}`)
    this.#options.retire()
  }

  async start(): Promise<ReadyReport> {
    const { settings, log, gateway, scopes, stackFd, filesLoaded } = this.#options
    let doing = ''
    const teller = stackFd === null ? null : tellStacks(stackFd, () => doing)
    for (const [name, value] of Object.entries(settings.rawEnv)) process.env[name] = value
    process.chdir(settings.chdir)
    setProcessLog(log)
    const hooks = await this.#loadHooks()
    await orNotLoaded(hooks?.forked())
    const files = filesLoaded === null ? null : await watchLoadedFiles(filesLoaded)
    let app: WSGIApplication
    try {
      app = await loadApplication(settings.wsgiApp, settings.chdir, (step) => {
        doing = step
      })
    } finally {
      files?.report()
    }
    doing = ''
    await orNotLoaded(hooks?.loaded(this.#options.events))
    // Without a limit, the arbiter will not ask for stacks.
    if (settings.timeout === 0 && settings.slowRequest === 0) teller?.end()
    const lines = new LineSplitter((line) => log.forWorker(process.pid).output('stderr', line))
    const facts = {
      serverSoftware: `monoceros/${version}`,
      multiprocess: settings.workers > 1,
      errors: errorStream((text) => lines.push(Buffer.from(text, 'utf8'))),
    }
    this.#gateway = new ApplicationGateway(gateway, app, facts, settings.strict, scopes)
    this.#recycling.start()
    this.#readyAt = Date.now()
    return { workers: [], interpreter: process.execPath, threads: null }
  }

  /** Imported modules stay in a process, so the arbiter replaces the process instead. */
  reload(): Promise<void> {
    throw new Error('An application in TypeScript is not reloaded within its process')
  }

  abandonReload(): void {}

  scale(): void {}

  reopenLogs(): void {}

  load(): null {
    return null
  }

  report(): readonly WorkerReport[] {
    return []
  }

  async inspect(
    question: InspectionQuestion,
    pid: number | null,
    early: AbortSignal,
  ): Promise<WorkerFindings[]> {
    const own = async () => {
      const { inspectProcess } = await import('./process-inspection.ts')
      return [{ pid: process.pid, findings: await inspectProcess(question, early) }]
    }
    const answers = await Promise.all([
      pid === null || pid === process.pid ? own() : [],
      ...applicationPools().map(({ pool }) => pool.inspect(question, pid, early)),
    ])
    return answers.flat()
  }

  /** This process is the worker. Each `pythonApp` that it has called has others. */
  state(): PoolState {
    const running = this.requests()
    const worker: ControlWorker = {
      pid: process.pid,
      state: this.#readyAt === null ? 'loading' : 'serving',
      readyAt: this.#readyAt,
      taken: this.#taken,
      requests: running.length,
      recycling: false,
      running: running.slice(0, SHOWN_OF_WORKER),
    }
    const state = { ...NO_POOL, workers: [worker] }
    for (const { application, embedded, pool } of applicationPools()) {
      const { waiting, longestWait, workers } = pool.state()
      state.waiting += waiting
      state.longestWait = Math.max(state.longestWait, longestWait)
      state.workers.push(...workers.map((each) => ({ ...each, application, embedded })))
    }
    return state
  }

  /** Those of static files and the like among them. */
  requests(): readonly ControlRequest[] {
    return this.#options
      .inProgress()
      .map(({ requestLine, seconds, answered }): ControlRequest => {
        const state = answered ? 'sending' : 'running'
        return { request: withoutQuery(requestLine), state, seconds, worker: process.pid }
      })
      .sort((a, b) => b.seconds - a.seconds)
  }

  /** A worker of a `pythonApp`; the arbiter replaces this process itself. */
  restart(pid: number, why: string): boolean {
    return applicationPools().some(({ pool }) => pool.restart(pid, why))
  }

  async stop(graceMs: number): Promise<void> {
    this.#recycling.stop()
    await closeApplications(graceMs)
    await this.#hooks?.exit()
  }

  kill(): void {}
}
