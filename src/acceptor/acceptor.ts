import { createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { FinishedExchange } from '../gateway/context.ts'
import { usualEnviron } from '../gateway/environ.ts'
import { Gateway } from '../gateway/gateway.ts'
import { ProxyTrust } from '../gateway/proxy-trust.ts'
import { Connection, type ConnectionContext, type Refusal } from '../http/connection.ts'
import { Deadlines } from '../http/deadlines.ts'
import { refusalLine } from '../http/refusal-line.ts'
import { AccessLog } from '../logging/access-log.ts'
import { LineSplitter } from '../logging/application-output.ts'
import type { ErrorLog, LogLevel } from '../logging/error-log.ts'
import { findInterpreter } from '../runtimes/cpython/interpreter.ts'
import { WorkerPool } from '../runtimes/cpython/pool.ts'
import { formatBindAddress } from '../settings/bind-address.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { acceptSockets } from '../sockets/accept-sockets.ts'
import type { AcceptorControls } from './acceptor-process.ts'
import type { AcceptorReady, InheritedListener } from './messages.ts'

/** What an acceptor is made of. */
export interface AcceptorOptions {
  readonly settings: Settings
  readonly fds: readonly InheritedListener[]
  readonly log: ErrorLog
  /** This acceptor's share of the workers. */
  readonly workers: number
  readonly tmpDir: string
}

const OVER_LIMIT =
  'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\nRetry-After: 1\r\nConnection: close\r\n\r\n503 Service Unavailable\n'
/** Being over `max_connections` is told this often at most. */
const TELL_EVERY_MS = 1000
/** A connection over `max_connections` has this long to take its 503 and to close … */
const TURN_AWAY_MS = 1000
/** … unless there are this many of them. */
const MOST_TURNED_AWAY = 256

/** Terminates HTTP and owns the client connections and the workers behind them: everything that serves, but the process around it. */
export class Acceptor implements AcceptorControls {
  readonly #options: AcceptorOptions
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection>()
  #context: ConnectionContext | null = null
  #pool: WorkerPool | null = null
  #accessLog: AccessLog | null = null
  #stopping = false
  #onNoConnections: (() => void) | null = null
  #overLimitToldAt = 0
  readonly #turnedAway = new Set<Socket>()

  constructor(options: AcceptorOptions) {
    this.#options = options
  }

  /** @throws ApplicationLoadError, InterpreterError, WorkerStartError, LogFileError */
  async start(): Promise<AcceptorReady> {
    const { settings, fds } = this.#options
    const interpreter = await findInterpreter(settings.python, settings.chdir, {
      ...process.env,
      ...settings.rawEnv,
    })
    if (settings.accessLogfile !== null) {
      this.#accessLog = new AccessLog({
        file: settings.accessLogfile,
        format: settings.accessLogFormat,
        onTrouble: (text) => this.#options.log.warning(text),
      })
    }
    const pool = this.#makePool(interpreter)
    this.#pool = pool
    if (this.#stopping) throw new Error('stopped while starting')
    const workers = await pool.start()
    this.#context = this.#makeContext(pool)
    await Promise.all(fds.map((listener) => this.#listen(listener)))
    return { workers, interpreter: interpreter.executable }
  }

  #makePool(interpreter: Awaited<ReturnType<typeof findInterpreter>>): WorkerPool {
    const { settings, log, tmpDir, workers } = this.#options
    const splitters = new Map<string, LineSplitter>()
    return new WorkerPool({
      workers,
      timeout: settings.timeout,
      gracefulTimeout: settings.gracefulTimeout,
      maxRequests: settings.maxRequests,
      maxRequestsJitter: settings.maxRequestsJitter,
      backlogLimit: settings.backlogLimit,
      worker: {
        interpreter,
        application: settings.wsgiApp,
        chdir: settings.chdir,
        pythonpath: settings.pythonpath,
        environment: settings.rawEnv,
        threads: settings.threads,
        window: settings.responseWindow,
        gracefulTimeout: settings.gracefulTimeout,
        multiprocess: settings.workers > 1 || settings.acceptors > 1,
        environ: { SERVER_SOFTWARE: `monoceros/${version}`, ...usualEnviron(settings.rootPath) },
        directory: tmpDir,
      },
      log: {
        log: (level, text, pid) => log.log(levelName(level), text, pid),
        output: (pid, stream, chunk) => {
          const key = `${pid} ${stream}`
          let splitter = splitters.get(key)
          if (chunk === null) {
            splitter?.end()
            splitters.delete(key)
            return
          }
          if (splitter === undefined) {
            splitter = new LineSplitter((line) => log.forWorker(pid).output(stream, line))
            splitters.set(key, splitter)
          }
          splitter.push(chunk)
        },
      },
    })
  }

  #makeContext(pool: WorkerPool): ConnectionContext {
    const { settings, log, tmpDir } = this.#options
    const gateway = new Gateway(
      {
        rootPath: settings.rootPath,
        limitRequestBody: settings.limitRequestBody,
        requestBuffering: settings.requestBuffering,
        bodyStore: { memory: settings.requestBufferSize, directory: tmpDir },
        responseWindow: settings.responseWindow,
        trust: new ProxyTrust(settings.forwardedAllowIps, settings.secureSchemeHeaders),
        log: {
          error: (text) => log.error(text),
          warning: (text) => log.warning(text),
          access: this.#accessLog === null ? null : (exchange) => this.#recordExchange(exchange),
        },
      },
      pool,
    )
    return {
      limits: {
        requestLine: settings.limitRequestLine,
        fields: settings.limitRequestFields,
        fieldSize: settings.limitRequestFieldSize,
        headerMap: settings.headerMap,
      },
      timeouts: {
        header: settings.headerTimeout,
        body: settings.bodyTimeout,
        keepAlive: settings.keepalive,
        write: settings.writeTimeout,
      },
      serverLine: settings.serverHeader === null ? '' : `Server: ${settings.serverHeader}\r\n`,
      deadlines: new Deadlines(),
      handler: gateway.handle,
      refused: (refusal) => this.#recordRefusal(refusal),
      closed: (connection) => this.#connectionClosed(connection),
      stopping: false,
    }
  }

  #listen({ fd, address }: InheritedListener): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, noDelay: true })
      server.once('error', reject)
      server.listen({ fd, backlog: this.#options.settings.backlog }, () => {
        server.off('error', reject)
        acceptSockets(server, (socket) => this.#accept(socket))
        server.on('error', (error) => {
          this.#options.log.error(`Accepting at ${formatBindAddress(address)} failed: ${error.message}`)
        })
        resolve()
      })
      this.#servers.push(server)
    })
  }

  #accept(socket: Socket): Connection | null {
    // Gone before it could be asked who it was. Without this it would pass for a client of a unix socket, which is trusted.
    if (socket.remoteAddress === undefined && socket.localAddress !== undefined) {
      socket.destroy()
      return null
    }
    const { maxConnections } = this.#options.settings
    if (maxConnections !== 0 && this.#connections.size >= maxConnections) {
      this.#turnAway(socket)
      const now = performance.now()
      if (now - this.#overLimitToldAt > TELL_EVERY_MS) {
        this.#overLimitToldAt = now
        this.#options.log.warning(
          `Connections are answered 503: max_connections (${maxConnections}) are open`,
        )
      }
      return null
    }
    const connection = new Connection(socket, this.#context!)
    this.#connections.add(connection)
    return connection
  }

  /** Answers 503. What the client still sends is dropped for a while: closing over unread bytes may destroy the answer (RFC 9112 §9.6). */
  #turnAway(socket: Socket): void {
    socket.on('error', () => {})
    if (this.#turnedAway.size >= MOST_TURNED_AWAY) {
      socket.end(OVER_LIMIT, 'latin1', () => socket.destroy())
      return
    }
    this.#turnedAway.add(socket)
    const timer = setTimeout(() => socket.destroy(), TURN_AWAY_MS)
    socket.on('end', () => socket.destroySoon())
    socket.on('close', () => {
      clearTimeout(timer)
      this.#turnedAway.delete(socket)
    })
    socket.end(OVER_LIMIT, 'latin1')
    socket.resume()
  }

  #connectionClosed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onNoConnections?.()
  }

  #recordExchange(exchange: FinishedExchange): void {
    const { head, responseHead } = exchange
    this.#accessLog!.record({
      remoteAddress: exchange.peer.remoteAddress,
      method: head.method,
      target: head.target,
      protocolVersion: `HTTP/1.${head.minorVersion}`,
      requestLine: head.requestLine(),
      status: exchange.status,
      bytes: exchange.bytes,
      startedAt: exchange.startedAt,
      durationMicros: exchange.durationMicros,
      header: (name) => head.get(name),
      responseHeader: (name) => fieldValue(responseHead, name),
    })
  }

  #recordRefusal(refusal: Refusal): void {
    const { peer, status, reason, requestLine } = refusal
    this.#options.log.warning(refusalLine(peer, requestLine, status, reason))
    if (refusal.begun) return // the exchange is recorded when it is over
    const [method = '', target = '', protocolVersion = ''] = requestLine.split(' ')
    this.#accessLog?.record({
      remoteAddress: peer.remoteAddress,
      method,
      target,
      protocolVersion,
      requestLine,
      status,
      bytes: 0,
      startedAt: refusal.startedAt,
      durationMicros: Math.max(0, Date.now() - refusal.startedAt) * 1000,
      header: () => undefined,
    })
  }

  /** @throws ApplicationLoadError, WorkerStartError: then the old workers stay */
  async reload(): Promise<void> {
    await this.#pool?.reload()
  }

  scale(workers: number): void {
    this.#pool?.scale(workers)
  }

  /** Accepts no more; exchanges under way are finished, idle connections closed; then the workers leave. After `graceTimeoutMs` all is ended. */
  async stop(graceTimeoutMs: number): Promise<void> {
    this.#stopping = true
    const until = performance.now() + graceTimeoutMs
    if (this.#context !== null) this.#context.stopping = true
    await this.#takeWhatHasCome()
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections) connection.closeWhenIdle()
    if (this.#connections.size > 0) {
      let timer: NodeJS.Timeout
      await new Promise<void>((resolve) => {
        this.#onNoConnections = resolve
        timer = setTimeout(resolve, graceTimeoutMs)
      })
      clearTimeout(timer!)
    }
    for (const connection of this.#connections) connection.destroy()
    for (const socket of this.#turnedAway) socket.destroy()
    await this.#pool?.stop(Math.max(0, until - performance.now()))
    await this.#accessLog?.close()
  }

  /**
   * Accepts and reads what the kernel holds for us: a client that has sent its request does not know that we are about to close. What is
   * accepted in one turn of the event loop is read in the next.
   */
  async #takeWhatHasCome(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await setImmediate()
  }

  kill(): void {
    this.#stopping = true
    this.#pool?.kill()
    this.#accessLog?.flush()
  }

  reopenLogs(): void {
    this.#accessLog?.reopen()
  }
}

function levelName(level: number): LogLevel {
  if (level >= 50) return 'critical'
  if (level >= 40) return 'error'
  if (level >= 30) return 'warning'
  return level >= 20 ? 'info' : 'debug'
}

/** The value of a field in a response head's lines. */
function fieldValue(lines: string, lowerName: string): string | undefined {
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon === lowerName.length && line.slice(0, colon).toLowerCase() === lowerName)
      return line.slice(colon + 1).trim()
  }
  return undefined
}
