import { admission } from '../edge/admission/admission.ts'
import { chain } from '../edge/chain.ts'
import { publishEngineRefusals } from '../edge/observation/engine-refusals.ts'
import { observeRequests } from '../edge/observation/observe-requests.ts'
import { ProxyTrust } from '../edge/trust/proxy-trust.ts'
import { trustProxies } from '../edge/trust/trust-proxies.ts'
import type { GatewayOptions } from '../gateway/context.ts'
import type { RequestHandler } from '../http/exchange.ts'
import { h1 } from '../http/h1/protocol.ts'
import { HttpServer, type Shortage } from '../http/http-server.ts'
import { AccessLog } from '../logging/access-log.ts'
import type { ErrorLog, LogLevel } from '../logging/error-log.ts'
import { LogLimiter } from '../logging/log-limiter.ts'
import { logRefusals, logRequests } from '../logging/request-logs.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { WorkerEvents } from '../observe/worker-events.ts'
import { formatBindAddress } from '../settings/bind-address.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { defaultClientMemory, defaultDiskLimits } from '../spool/defaults.ts'
import { DiskBudget } from '../spool/disk-budget.ts'
import { MemoryBudget } from '../spool/memory-budget.ts'
import { setProcessStore } from '../spool/process-store.ts'
import type { Spool } from '../spool/spool.ts'
import { failureText } from '../wsgi/failure.ts'
import type { AcceptorControls } from './acceptor-process.ts'
import type { Backend } from './backend.ts'
import {
  type ConnectionLimit,
  connectionLimit,
  DescriptorWatch,
  descriptorLimit,
  HOW_TO_RAISE,
  openDescriptors,
} from './descriptors.ts'
import type { AcceptorReady, InheritedListener, WorkerReport } from './messages.ts'
import { NodeBackend } from './node-backend.ts'
import { PythonBackend } from './python-backend.ts'

/** What an acceptor is made of. */
export interface AcceptorOptions {
  readonly settings: Settings
  readonly fds: readonly InheritedListener[]
  readonly log: ErrorLog
  /** This acceptor's share of the workers. */
  readonly workers: number
  readonly tmpDir: string
  /** See `StartMessage` in `messages.ts`. */
  readonly stackFd: number | null
  /** Asks for this process to be replaced by a fresh one. */
  readonly retire: () => void
}

/** Of the descriptors; a fifth of them is not for connections. */
const SHARE_OF_TEMPORARY_FILES = 1 / 10
/** How long a request body waits for room on the disk where `body_timeout` is off, in seconds. */
const BODY_PATIENCE = 30
/** That the memory for clients is used up is told this often at most. */
const TELL_OF_MEMORY_MS = 10_000
/**
 * How long there are no descriptors at all, and no connections that could give some back, before
 * the process is replaced; milliseconds.
 */
const HOPELESS_MS = 5000

/**
 * Terminates HTTP and owns the client connections and what answers them: everything that serves,
 * but the process around it.
 */
export class Acceptor implements AcceptorControls {
  readonly #options: AcceptorOptions
  #server: HttpServer | null = null
  #backend: Backend | null = null
  #accessLog: AccessLog | null = null
  readonly #spool: Spool
  readonly #events: RequestEvents
  readonly #workerEvents: WorkerEvents
  #toldOfMemoryAt = Number.NEGATIVE_INFINITY
  #descriptorWatch: DescriptorWatch | null = null
  #descriptors = Number.POSITIVE_INFINITY
  /** How many were open before any client came. */
  #opened = 0
  #replaced = false
  #toldOfDescriptorsAt = Number.NEGATIVE_INFINITY
  /** For what a client can bring about at will. At level debug nothing is left out. */
  readonly #limiter: LogLimiter | null

  constructor(options: AcceptorOptions) {
    const { log } = options
    this.#options = options
    this.#spool = this.#makeSpool()
    setProcessStore(this.#spool)
    this.#limiter = log.enabled('debug')
      ? null
      : new LogLimiter({ write: (level, text) => log.log(level, text) })
    const listenerFailed = (topic: string, error: unknown) =>
      log.error(`A listener of ${topic} failed: ${failureText(error)}`)
    this.#events = new RequestEvents(listenerFailed)
    this.#workerEvents = new WorkerEvents(listenerFailed)
    logRefusals(this.#events, (level, kind, line) => this.#limited(level, kind, line))
  }

  /** @throws ApplicationLoadError, InterpreterError, WorkerStartError, LogFileError */
  async start(): Promise<AcceptorReady> {
    const { settings, fds, log } = this.#options
    if (settings.accessLogfile !== null) {
      const accessLog = new AccessLog({
        file: settings.accessLogfile,
        format: settings.accessLogFormat,
        onTrouble: (text) => log.warning(text),
      })
      this.#accessLog = accessLog
      logRequests(this.#events, (record) => accessLog.record(record))
    }
    const backend = this.#makeBackend()
    this.#backend = backend
    const ready = await backend.start()
    this.#descriptors = descriptorLimit()
    const { maxConnections, warning } = this.#connectionLimit()
    const server = this.#makeServer(backend, maxConnections)
    this.#server = server
    await Promise.all(
      fds.map(({ fd, address }) =>
        server.listen({ fd, backlog: settings.backlog }, (error) => {
          this.#acceptFailed(formatBindAddress(address), error)
        }),
      ),
    )
    this.#descriptorWatch = new DescriptorWatch({
      usedUp: (milliseconds) => this.#outOfDescriptors(milliseconds),
      recovered: () => this.#adaptToDescriptors(),
    })
    return warning === '' ? ready : { ...ready, warnings: [warning] }
  }

  /** To be asked when there are no connections yet. */
  #connectionLimit(open = openDescriptors()): ConnectionLimit {
    const { settings, workers } = this.#options
    this.#opened = open
    return connectionLimit(settings.maxConnections, this.#descriptors, open, workers)
  }

  #acceptFailed(where: string, error: Error): void {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EMFILE' || code === 'ENFILE') this.#descriptorWatch?.check()
    else
      this.#limited(
        'error',
        'connections that could not be accepted',
        `Accepting at ${where} failed: ${error.message}`,
      )
  }

  /**
   * None can be had, whoever has them. New connections wait in the kernel until some are free; idle
   * ones are closed for that.
   */
  #outOfDescriptors(milliseconds: number): void {
    this.#tellOfDescriptors(
      'no file or socket can be opened. New connections wait, and idle ones are closed',
    )
    this.#server?.pause()
    const nothingToClose = this.#server?.reclaimIdle() === 0 && this.#server.connections === 0
    if (!nothingToClose || milliseconds < HOPELESS_MS) return
    // Something else in this process has them all.
    this.#replace('For want of file descriptors no connection can be accepted')
  }

  #replace(why: string): void {
    if (this.#replaced) return
    this.#replaced = true
    this.#options.log.critical(`${why}: this process is replaced`)
    this.#options.retire()
  }

  /** Once a second, whoever has noticed. */
  #tellOfDescriptors(what: string): void {
    const now = performance.now()
    if (now - this.#toldOfDescriptorsAt < 1000) return
    this.#toldOfDescriptorsAt = now
    const limit =
      this.#descriptors === Number.POSITIVE_INFINITY ? '' : ` (limit: ${this.#descriptors})`
    this.#options.log.error(`File descriptors are used up${limit}: ${what}. ${HOW_TO_RAISE}`)
  }

  /** There are some again. Somebody may have lowered the limit while the server runs. */
  #adaptToDescriptors(): void {
    this.#server?.resume()
    const limit = descriptorLimit()
    if (limit === this.#descriptors) return
    this.#descriptors = limit
    const { maxConnections, warning } = this.#connectionLimit(this.#opened)
    this.#server?.adapt(maxConnections, limit)
    if (warning !== '') this.#options.log.warning(warning)
  }

  #limited(level: LogLevel, kind: string, text: string, burst?: number): void {
    if (this.#limiter === null) this.#options.log.log(level, text)
    else this.#limiter.log(level, kind, text, burst)
  }

  #makeBackend(): Backend {
    const { settings, log, workers, tmpDir, stackFd, retire } = this.#options
    const gateway = this.#gatewayOptions()
    return runtimeOf(settings) === 'node'
      ? new NodeBackend({ settings, log, gateway, stackFd, retire })
      : new PythonBackend({
          settings,
          log,
          workers,
          tmpDir,
          gateway,
          events: this.#workerEvents,
        })
  }

  /** This acceptor's share of the memory and of the disk. */
  #makeSpool(): Spool {
    const { settings, tmpDir } = this.#options
    const acceptors = acceptorsOf(settings)
    const memory = settings.clientMemory ?? defaultClientMemory()
    const disk = defaultDiskLimits(tmpDir)
    return {
      memory: new MemoryBudget(Math.ceil(memory / acceptors), (held) => this.#tellOfMemory(held)),
      disk: new DiskBudget({
        directory: tmpDir,
        limit: Math.ceil((settings.spoolSize ?? disk.limit) / acceptors),
        reserve: settings.spoolReserve ?? disk.reserve,
        files: Math.floor(descriptorLimit() * SHARE_OF_TEMPORARY_FILES),
      }),
      directory: tmpDir,
      bodyMemory: settings.requestBufferSize,
      patience: settings.bodyTimeout === 0 ? BODY_PATIENCE : settings.bodyTimeout,
      responseLimit: settings.responseSpoolSize,
    }
  }

  #tellOfMemory(held: number): void {
    const now = performance.now()
    if (now - this.#toldOfMemoryAt < TELL_OF_MEMORY_MS) return
    this.#toldOfMemoryAt = now
    this.#options.log.warning(
      `client_memory is used up: ${held} bytes are held for clients, ${this.#spool.memory.limit} are allowed in each acceptor. ` +
        'Requests that need more of it are answered 503, and clients that hold it for nothing are given up',
    )
  }

  #gatewayOptions(): GatewayOptions {
    const { settings, log } = this.#options
    return {
      rootPath: settings.rootPath,
      limitRequestBody: settings.limitRequestBody,
      requestBuffering: settings.requestBuffering,
      memory: this.#spool.memory,
      spool: this.#spool,
      responseWindow: settings.responseWindow,
      log: {
        error: (text) => log.error(text),
        warning: (text) => log.warning(text),
        limited: (level, kind, text) => this.#limited(level, kind, text),
      },
      events: this.#events,
    }
  }

  /** What a request passes through, from the outside to the gateway. */
  #handler(backend: Backend): RequestHandler {
    const { settings } = this.#options
    const events = this.#events
    const inProcess = runtimeOf(settings) === 'node'
    const limits = {
      limitRequestBody: settings.limitRequestBody,
      memory: this.#spool.memory,
      spoolsBodies: !inProcess && settings.requestBuffering,
      queuesRequests: !inProcess,
    }
    const trust = new ProxyTrust(settings.forwardedAllowIps, settings.secureSchemeHeaders)
    return chain(
      [observeRequests(events), admission(limits, events), trustProxies(trust, events)],
      backend.handler,
    )
  }

  #makeServer(backend: Backend, maxConnections: number): HttpServer {
    const { settings } = this.#options
    return new HttpServer({
      protocol: h1,
      limits: {
        requestLine: settings.limitRequestLine,
        fields: settings.limitRequestFields,
        fieldSize: settings.limitRequestFieldSize,
        head: settings.limitRequestHead,
        headerMap: settings.headerMap,
      },
      timeouts: {
        header: settings.headerTimeout,
        body: settings.bodyTimeout,
        wholeBody: settings.bodyTimeLimit,
        keepAlive: settings.keepalive,
        write: settings.writeTimeout,
      },
      rates: { body: settings.minBodyRate, write: settings.minResponseRate },
      memory: this.#spool.memory,
      serverName: settings.serverHeader ?? '',
      handler: this.#handler(backend),
      maxConnections,
      descriptors: this.#descriptors,
      refused: publishEngineRefusals(this.#events),
      turnsAway: (why) => this.#turnedAway(why),
      scarce: () =>
        this.#tellOfDescriptors(
          'idle connections are closed, and new ones answered 503 where none is idle',
        ),
      unableToAccept: () => this.#replace('No connection can be accepted any more'),
    })
  }

  #turnedAway(why: Shortage): void {
    if (why === 'descriptors') return // is told of as such
    const text = `Connections are answered 503: max_connections (${this.#server?.maxConnections}) are open, and none is idle`
    this.#limited('warning', 'connections answered 503', text, 1)
  }

  /** @throws ApplicationLoadError, WorkerStartError: then the old workers stay */
  async reload(): Promise<void> {
    await this.#backend?.reload()
  }

  abandonReload(): void {
    this.#backend?.abandonReload()
  }

  scale(workers: number): void {
    this.#backend?.scale(workers)
  }

  report(): readonly WorkerReport[] {
    return this.#backend?.report() ?? []
  }

  /**
   * Accepts no more; exchanges under way are finished, idle connections closed, where nobody goes
   * on in its place at once; then the workers leave. After `graceTimeoutMs` all is ended.
   */
  async stop(graceTimeoutMs: number, replaced: boolean): Promise<void> {
    const until = performance.now() + graceTimeoutMs
    // By then they have been closed by themselves, unless they had no request yet.
    const idleMs = this.#options.settings.keepalive * 1000 + 1000
    await this.#server?.stop(graceTimeoutMs, replaced ? idleMs : 0)
    await this.#backend?.stop(Math.max(0, until - performance.now()))
    this.#descriptorWatch?.stop()
    this.#limiter?.report()
    await this.#accessLog?.close()
  }

  closeIdle(): void {
    this.#server?.closeIdle()
  }

  kill(): void {
    this.#backend?.kill()
    this.#limiter?.report()
    this.#accessLog?.flush()
  }

  reopenLogs(): void {
    this.#accessLog?.reopen()
  }
}
