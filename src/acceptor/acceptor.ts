import type { Dropped, DropsLink } from '../edge/cache/shared-drops.ts'
import { Networks } from '../edge/networks.ts'
import { publishEngineRefusals } from '../edge/observation/engine-refusals.ts'
import type { GatewayOptions } from '../gateway/context.ts'
import type { HeaderGate, Protocol } from '../http/connection.ts'
import { ConnectionsPerAddress } from '../http/connections-per-address.ts'
import type { RequestHandler } from '../http/exchange.ts'
import { HttpServer, type Shortage } from '../http/http-server.ts'
import { AccessLog } from '../logging/access-log.ts'
import type { ErrorLog, LogLevel } from '../logging/error-log.ts'
import { LogLimiter } from '../logging/log-limiter.ts'
import { LogTail } from '../logging/log-tail.ts'
import { logRefusals, logRequests } from '../logging/request-logs.ts'
import { Syslog } from '../logging/syslog.ts'
import { type Coded, coded } from '../messages/coded.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { WorkerEvents } from '../observe/worker-events.ts'
import { formatBindAddress } from '../settings/bind-address.ts'
import { keepsLog, syslogOptions } from '../settings/log-options.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { setProcessStore } from '../spool/process-store.ts'
import type { Spool } from '../spool/spool.ts'
import { measureEntries, measureRequests } from '../statsd/server-metrics.ts'
import { openStatsd, type StatsdClient } from '../statsd/statsd-client.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { failureText } from '../wsgi/failure.ts'
import type { AcceptorMetrics } from './acceptor-metrics.ts'
import type { AcceptorControls, ArbiterLink } from './acceptor-process.ts'
import { type Backend, NO_POOL } from './backend.ts'
import { clientBudgets } from './client-budgets.ts'
import { DescriptorShortage } from './descriptor-shortage.ts'
import type { Development } from './development.ts'
import type { BrowserChange, DevelopmentStart, InheritedListener, ReadyReport } from './messages.ts'
import { NodeBackend } from './node-backend.ts'
import { protocols } from './protocols.ts'
import { PythonBackend } from './python-backend.ts'
import type { Answer, Answers } from './questions.ts'
import { requestHandler } from './request-handlers.ts'
import type { SecureConnections } from './secure-connections.ts'
import type { Traces } from './traces.ts'

/** What an acceptor is made from. */
export interface AcceptorOptions {
  readonly settings: Settings
  readonly fds: readonly InheritedListener[]
  /** See `StartMessage` in `messages.ts`. */
  readonly tls: TlsMaterial | null
  readonly log: ErrorLog
  /** This acceptor's share of the workers. */
  readonly workers: number
  readonly tmpDir: string
  /** See `StartMessage` in `messages.ts`. */
  readonly stackFd: number | null
  /** See `StartMessage` in `messages.ts`. */
  readonly development: DevelopmentStart | null
  readonly arbiter: ArbiterLink
}

/**
 * Handles HTTP. It owns the client connections and the back end that answers requests: everything
 * that serves, except the process around it.
 */
export class Acceptor implements AcceptorControls {
  readonly #options: AcceptorOptions
  #server: HttpServer | null = null
  /** The newest certificates, also before they are in use. */
  #tls: TlsMaterial | null
  #backend: Backend | null = null
  /** Null unless connections begin with a header of the PROXY protocol. */
  #header: HeaderGate | null = null
  /** Null unless a listener uses TLS. */
  #secure: SecureConnections | null = null
  #accessLog: AccessLog | null = null
  /** Null unless the application is being developed (`--reload`). */
  #development: Development | null = null
  #statsd: StatsdClient | null = null
  /** Null unless requests have traces (`trace_context`, `otlp`). */
  #traces: Traces | null = null
  readonly #spool: Spool
  readonly #events: RequestEvents
  readonly #workerEvents: WorkerEvents
  #shortage: DescriptorShortage | null = null
  /** To the caches of the other acceptors. */
  readonly #cacheDrops: DropsLink = {
    tell: (dropped) => {
      const { settings, arbiter } = this.#options
      if (acceptorsOf(settings) > 1) arbiter.cacheDropped(dropped)
    },
    receive: null,
  }
  /** Null without `metrics_bind`. */
  #metrics: AcceptorMetrics | null = null
  readonly answers: Answers = {
    metrics: () => this.#metrics?.snapshot() ?? {},
    workers: () => this.#backend?.report() ?? [],
    profile: async (details) =>
      (await import('./inspections.ts')).takeProfile(this.#serving(), details),
    'end-profile': async ({ key }) => {
      ;(await import('./inspections.ts')).endProfile(key)
      return null
    },
    heap: async (details) => {
      const { settings, tmpDir } = this.#options
      if (runtimeOf(settings) !== 'node')
        throw new Error('a heap snapshot is of TypeScript; for Python leave it out')
      return (await import('./heap-snapshot.ts')).heapPart(details, tmpDir)
    },
    memory: async (details) =>
      (await import('./inspections.ts')).measureMemory(this.#serving(), details),
    state: () => this.#state(),
    requests: ({ limit }) => {
      const all = [...(this.#backend?.requests() ?? [])].sort((a, b) => b.seconds - a.seconds)
      return { requests: all.slice(0, limit), leftOut: Math.max(0, all.length - limit) }
    },
    restart: ({ pid, why }) => this.#backend?.restart(pid, why) ?? false,
    'log-level': ({ level }) => {
      this.#options.log.level = level
      return null
    },
    log: ({ errors }) => (errors ? this.#tail?.errors : this.#tail?.entries) ?? [],
  }
  /** Null without a control socket. */
  readonly #tail: LogTail | null
  #replaced = false
  /** The server is about to stop. */
  #isReady = true
  /** For messages that a client can cause at will; null at level debug, which logs all of them. */
  readonly #limiter: LogLimiter | null

  constructor(options: AcceptorOptions) {
    const { settings, tmpDir, log } = options
    this.#options = options
    this.#tail = keepsLog(settings) ? new LogTail(log) : null
    this.#tls = options.tls
    this.#spool = clientBudgets(settings, tmpDir, log)
    setProcessStore(this.#spool)
    this.#limiter = log.enabled('debug')
      ? null
      : new LogLimiter({ write: (level, text) => log.log(level, text) })
    const listenerFailed = (topic: string, error: unknown) =>
      log.error(coded('MONO5901', `A listener of ${topic} failed: ${failureText(error)}`))
    this.#events = new RequestEvents(listenerFailed)
    this.#workerEvents = new WorkerEvents(listenerFailed)
    this.#passOnWorkerEvents()
    logRefusals(this.#events, {
      info: (kind, line) => this.#limited('info', kind, line),
      warning: (kind, line) => this.#limited('warning', kind, line),
    })
  }

  /** @throws ApplicationLoadError, InterpreterError, WorkerStartError, LogFileError */
  async start(): Promise<ReadyReport> {
    const { settings, fds, log, workers } = this.#options
    this.#openAccessLog()
    this.#statsd = openStatsd(settings, (text) => log.warning(text))
    if (this.#statsd !== null) {
      measureRequests(this.#statsd, this.#events)
      measureEntries(this.#statsd, log)
    }
    if (settings.metricsBind.length > 0) {
      const { AcceptorMetrics } = await import('./acceptor-metrics.ts')
      this.#metrics = new AcceptorMetrics({
        settings,
        events: this.#events,
        log,
        limiter: this.#limiter,
        spool: this.#spool,
        parts: () => ({
          server: this.#server,
          backend: this.#backend,
          secure: this.#secure,
          traces: this.#traces,
        }),
        tell: (snapshot) => this.#options.arbiter.counted(snapshot),
      })
    }
    this.#traces = await this.#openTraces()
    const backend = this.#makeBackend()
    this.#backend = backend
    const ready = await this.#startBackend(backend)
    const shortage = new DescriptorShortage({
      maxConnections: settings.maxConnections,
      workers,
      log,
      replace: (reason) => this.#replace(reason),
    })
    this.#shortage = shortage
    const { maxConnections, warning } = shortage.connections()
    const handler = await this.#makeHandler(backend)
    this.#header = await this.#headerGate()
    const { plain, h2 } = await protocols(
      settings,
      fds.some(({ tls }) => tls),
    )
    const server = this.#makeServer(plain, handler, shortage, maxConnections)
    this.#server = server
    const secure = await this.#secureConnections(h2)
    await Promise.all(
      fds.map(({ fd, address, tls }) =>
        server.listen(
          { fd, backlog: settings.backlog },
          (error) => this.#acceptFailed(formatBindAddress(address), error),
          tls ? secure!.gate : null,
        ),
      ),
    )
    shortage.watch(server)
    return warning === '' ? ready : { ...ready, warnings: [coded('MONO4037', warning)] }
  }

  async #openTraces(): Promise<Traces | null> {
    const { settings, log } = this.#options
    if (!settings.traceContext && settings.otlp === null) return null
    const { Traces } = await import('./traces.ts')
    return await Traces.open(settings, this.#events, this.#spool.memory, log)
  }

  /** @returns null if connections do not begin with a header of the PROXY protocol */
  async #headerGate(): Promise<HeaderGate | null> {
    const { proxyProtocol, proxyAllowIps, proxyProtocolTls } = this.#options.settings
    if (proxyProtocol === 'off') return null
    const { headerGate } = await import('../http/proxy-protocol/header-gate.ts')
    const allowed = new Networks(proxyAllowIps)
    return headerGate({
      versions: proxyProtocol,
      expects: (address) => address === '' || allowed.include(address),
      believesTls: proxyProtocolTls,
    })
  }

  /** @returns null if no listener uses TLS; then nothing of it is loaded */
  async #secureConnections(h2: Protocol | null): Promise<SecureConnections | null> {
    const { settings, fds } = this.#options
    const tls = this.#tls
    if (tls === null || !fds.some((listener) => listener.tls)) return null
    const { SecureConnections } = await import('./secure-connections.ts')
    this.#secure = new SecureConnections({
      settings,
      // They may have changed meanwhile.
      material: this.#tls ?? tls,
      h2,
      log: {
        info: (kind, text) => this.#limited('info', kind, text),
        warning: (kind, text, burst) => this.#limited('warning', kind, text, burst),
      },
    })
    return this.#secure
  }

  /** With `--reload`, an application that cannot be loaded does not end the server. */
  async #startBackend(backend: Backend): Promise<ReadyReport> {
    const { settings, development, arbiter } = this.#options
    if (development === null) return await backend.start()
    const { Development, failureToShow } = await import('./development.ts')
    this.#development = new Development(settings, development)
    this.#workerEvents.filesLoaded.subscribe(({ files }) => arbiter.filesLoaded(files))
    try {
      return await backend.start()
    } catch (error) {
      const failure = development.tolerant ? failureToShow(error) : null
      if (failure === null) throw error
      this.#development.showFailure(failure)
      return { workers: [], interpreter: process.execPath, threads: null, failure }
    }
  }

  /** @throws Error if there is nothing that could be asked */
  #serving(): Backend {
    if (this.#backend === null) throw new Error('it is still starting')
    return this.#backend
  }

  showFailure(text: string | null): void {
    this.#development?.showFailure(text)
  }

  refreshBrowsers(version: number, change: BrowserChange): void {
    this.#development?.refreshBrowsers(version, change)
  }

  /** The arbiter publishes them again, for those who watch the whole server. */
  #passOnWorkerEvents(): void {
    const { arbiter } = this.#options
    const { workerStarted, workerReady, workerRecycled, workerEnded } = this.#workerEvents
    workerStarted.subscribe((event) => arbiter.workerEvent({ topic: 'workerStarted', ...event }))
    workerReady.subscribe((event) => arbiter.workerEvent({ topic: 'workerReady', ...event }))
    workerRecycled.subscribe((event) => arbiter.workerEvent({ topic: 'workerRecycled', ...event }))
    workerEnded.subscribe((event) => arbiter.workerEvent({ topic: 'workerEnded', ...event }))
  }

  #openAccessLog(): void {
    const { settings, log } = this.#options
    const onTrouble = (text: Coded) => log.warning(text)
    const syslog = syslogOptions(settings, 'access')
    if (settings.accessLogfile === null && syslog === null) return
    const accessLog = new AccessLog({
      file: settings.accessLogfile,
      format: settings.accessLogFormat,
      traces: settings.traceContext || settings.otlp !== null,
      syslog: syslog === null ? null : new Syslog(syslog, onTrouble),
      onTrouble,
    })
    this.#accessLog = accessLog
    logRequests(this.#events, (record) => accessLog.record(record), settings.accessLogSkip)
  }

  #acceptFailed(where: string, error: Error): void {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EMFILE' || code === 'ENFILE') this.#shortage?.check()
    else
      this.#limited(
        'error',
        'connections that could not be accepted',
        coded('MONO4031', `Accepting at ${where} failed: ${error.message}`),
      )
  }

  #replace(reason: string): void {
    if (this.#replaced) return
    this.#replaced = true
    this.#options.log.critical(coded('MONO5103', `${reason}; replacing this process`))
    this.#options.arbiter.retire()
  }

  #limited(level: 'info', kind: string, text: string, burst?: number): void
  #limited(level: LogLevel, kind: string, text: Coded, burst?: number): void
  #limited(level: LogLevel, kind: string, text: string, burst?: number): void {
    const line = text as Coded
    if (this.#limiter === null) this.#options.log.log(level, line)
    else this.#limiter.log(level, kind, line, burst)
  }

  #makeBackend(): Backend {
    const { settings, log, workers, tmpDir, stackFd, arbiter, development } = this.#options
    const gateway = this.#gatewayOptions()
    return runtimeOf(settings) === 'node'
      ? new NodeBackend({
          settings,
          log,
          gateway,
          events: this.#events,
          scopes: this.#traces?.library ?? null,
          stackFd,
          inProgress: () => this.#server?.inProgress() ?? [],
          retire: () => arbiter.retire(),
          filesLoaded: development === null ? null : (files) => arbiter.filesLoaded(files),
        })
      : new PythonBackend({
          settings,
          log,
          workers,
          tmpDir,
          gateway,
          events: this.#workerEvents,
          workerWanted: () => arbiter.workerWanted(),
        })
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

  #makeHandler(backend: Backend): Promise<RequestHandler> {
    const { settings, log, fds } = this.#options
    const options = {
      settings,
      listeners: fds,
      events: this.#events,
      metrics: this.#metrics,
      obstacle: () => this.#obstacle(backend),
      spool: this.#spool,
      log,
      warn: (kind: string, text: Coded) => this.#limited('warning', kind, text),
      development: this.#development,
      takeTokens: (keys: readonly string[]) => this.#options.arbiter.takeTokens(keys),
      traces: this.#traces,
      cacheDrops: this.#cacheDrops,
    }
    return requestHandler(options, backend)
  }

  /** Why this acceptor is not ready to answer requests, in a few words; null if it is. */
  #obstacle(backend: Backend): string | null {
    if (!this.#isReady) return 'the server is stopping'
    const serves =
      runtimeOf(this.#options.settings) === 'node' ||
      backend.report().some(({ state }) => state === 'serving')
    return serves ? null : 'no worker serves'
  }

  #makeServer(
    protocol: Protocol,
    handler: RequestHandler,
    shortage: DescriptorShortage,
    maxConnections: number,
  ): HttpServer {
    const { settings } = this.#options
    return new HttpServer({
      protocol,
      limits: {
        requestLine: settings.limitRequestLine,
        fields: settings.limitRequestFields,
        fieldSize: settings.limitRequestFieldSize,
        head: settings.limitRequestHead,
        headerMap: settings.headerMap,
        forwarderHeaders: new Set(settings.forwarderHeaders.map((name) => name.toLowerCase())),
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
      handler,
      maxConnections,
      header: this.#header,
      perAddress: this.#connectionsPerAddress(),
      descriptors: shortage.limit,
      refused: publishEngineRefusals(this.#events),
      turnsAway: (why, address) => this.#turnedAway(why, address),
      scarce: () => shortage.scarce(),
      unableToAccept: () => this.#replace('No connection can be accepted any more'),
    })
  }

  #connectionsPerAddress(): ConnectionsPerAddress | null {
    const { limitConnectionsPerAddress, forwardedAllowIps } = this.#options.settings
    if (limitConnectionsPerAddress === 0) return null
    const proxies = new Networks(forwardedAllowIps)
    return new ConnectionsPerAddress(limitConnectionsPerAddress, (address) =>
      proxies.include(address),
    )
  }

  #turnedAway(why: Shortage, address: string): void {
    this.#metrics?.turnedAway(why)
    if (why === 'descriptors') return // DescriptorShortage logs that
    if (why === 'address') {
      const { limitConnectionsPerAddress } = this.#options.settings
      this.#limited(
        'warning',
        'connections of addresses that have too many',
        coded(
          'MONO4036',
          `Refused a connection from ${address}: its address has ${limitConnectionsPerAddress} ` +
            'already (limit_connections_per_address)',
        ),
      )
      return
    }
    const text =
      'Connections are answered 503, because there are ' +
      `${this.#server?.maxConnections} (max_connections) and none is idle`
    this.#limited('warning', 'connections answered 503', coded('MONO4035', text), 1)
  }

  /** @throws ApplicationLoadError, WorkerStartError: then the old workers stay */
  async reload(): Promise<void> {
    await this.#backend?.reload()
    // Another version of the application has other pages.
    this.dropCached({ keys: [], beginnings: [''] })
  }

  #state(): Answer<'state'> {
    const { memory, disk } = this.#spool
    return {
      connections: this.#server?.connections ?? 0,
      held: memory.held,
      heldLimit: Number.isFinite(memory.limit) ? memory.limit : null,
      spooled: disk.used,
      spoolLimit: Number.isFinite(disk.limits.limit) ? disk.limits.limit : null,
      ...(this.#backend?.state() ?? NO_POOL),
    }
  }

  dropCached(dropped: Dropped): void {
    this.#cacheDrops.receive?.(dropped)
  }

  notReady(): void {
    this.#isReady = false
  }

  abandonReload(): void {
    this.#backend?.abandonReload()
  }

  scale(workers: number): void {
    this.#backend?.scale(workers)
  }

  /**
   * Stops accepting, finishes exchanges in progress, then ends the workers. Idle connections are
   * closed immediately, unless another acceptor serves already: then they may get one more answer.
   * After `graceTimeoutMs`, everything is ended by force.
   */
  async stop(graceTimeoutMs: number, replaced: boolean): Promise<void> {
    const until = performance.now() + graceTimeoutMs
    if (!replaced) this.notReady()
    // By then, keep-alive has closed them, except those that have not had a request.
    const idleMs = this.#options.settings.keepalive * 1000 + 1000
    this.#development?.end(replaced)
    await this.#server?.stop(graceTimeoutMs, replaced ? idleMs : 0)
    await this.#backend?.stop(Math.max(0, until - performance.now()))
    this.#shortage?.stop()
    this.#limiter?.report()
    this.#metrics?.end()
    await Promise.all([
      this.#accessLog?.close(),
      this.#statsd?.close(),
      this.#traces?.close(Math.max(0, until - performance.now())),
    ])
  }

  async endWorkers(graceMs: number): Promise<void> {
    await this.#backend?.stop(graceMs)
  }

  closeIdle(): void {
    this.#server?.closeIdle()
  }

  kill(): void {
    this.#backend?.kill()
    this.#limiter?.report()
    this.#accessLog?.flush()
    this.#statsd?.flush()
  }

  useTls(material: TlsMaterial): void {
    this.#tls = material
    this.#secure?.use(material)
  }

  reopenLogs(): void {
    this.#accessLog?.reopen()
    this.#backend?.reopenLogs()
  }
}
