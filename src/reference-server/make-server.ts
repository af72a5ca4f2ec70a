import type { AddressInfo } from 'node:net'
import { admission } from '../edge/admission/admission.ts'
import { chain, type EdgeHandler } from '../edge/chain.ts'
import { publishEngineRefusals } from '../edge/observation/engine-refusals.ts'
import { observeRequests } from '../edge/observation/observe-requests.ts'
import { type TrustOptions, trustProxies } from '../edge/trust/trust-proxies.ts'
import { ApplicationGateway } from '../gateway/application-gateway.ts'
import type { RequestHandler } from '../http/exchange.ts'
import { h1 } from '../http/h1/protocol.ts'
import { HttpServer } from '../http/http-server.ts'
import { DEFAULT_HEAD_LIMITS } from '../http/limits.ts'
import { compileAccessFormat } from '../logging/access-format.ts'
import { LogLimiter } from '../logging/log-limiter.ts'
import { logRefusals, logRequests } from '../logging/request-logs.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import { isApplication } from '../wsgi/application.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { failureText } from '../wsgi/failure.ts'
import type { ErrorStream, WSGIApplication } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { Turnstile } from './turnstile.ts'

export interface ServerOptions {
  /**
   * Called with a log line, without its line end, for every request; `false` turns the log off.
   * Defaults to standard error.
   */
  log?: ((line: string) => void) | false
  /** Gets `wsgi.errors` and the server's own errors. Defaults to the console. */
  errors?: ErrorStream
  /** What `SCRIPT_NAME` is: a path such as `/shop`. Defaults to `''`. */
  rootPath?: string
  /** The most bytes that a request body may have. Defaults to 0: no limit. */
  maxBody?: number
  /** Seconds that requests in progress may take when the server shuts down. Defaults to 5. */
  gracefulTimeout?: number
}

/** It serves clients directly. */
const NO_PROXIES: TrustOptions = {
  proxies: [],
  secureHeaders: {},
  forwarderHeaders: [],
  headerMap: 'drop',
  forwardedHeaders: null,
}

/** Where a server listens, as reported by the operating system. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:8000` */
  readonly url: string
}

const RESPONSE_WINDOW = 256 * 1024
const LOG_FORMAT = '%(h)s - - %(t)s "%(r)s" %(s)s %(b)s'

/**
 * Makes the reference server: a small server in this process, on the same HTTP engine as the
 * command. It is for learning, for tests, and for programs that serve an application beside other
 * work. In production use the command, which has several processes and replaces those that fail.
 *
 * It binds immediately and answers once {@link WSGIServer.serveForever} or {@link
 * WSGIServer.handleRequest} is called; until then clients wait.
 *
 * @param host an address or a name; `''` for all addresses
 * @param port 0 for a free port, see {@link WSGIServer.address}
 * @throws TypeError or RangeError (`bad-option`) for an invalid option, and if `app` is not an
 * application
 * @example
 * const httpd = makeServer('', 8000, demoApp)
 * console.log('Serving on port 8000...')
 * await httpd.serveForever()
 */
export function makeServer(
  host: string,
  port: number,
  app: WSGIApplication,
  options: ServerOptions = {},
): WSGIServer {
  return new WSGIServer(host, port, app, options)
}

/** The server that {@link makeServer} returns. */
export class WSGIServer {
  /** Resolves with the address when the server listens; rejects if it cannot. */
  readonly listening: Promise<ServerAddress>
  readonly #server: HttpServer
  readonly #turnstile: Turnstile
  readonly #limiter: LogLimiter
  readonly #graceMs: number
  #address: ServerAddress | null = null
  #ended: Promise<void> | null = null

  constructor(host: string, port: number, app: WSGIApplication, options: ServerOptions) {
    const { rootPath = '', errors = consoleErrors, maxBody = 0, gracefulTimeout = 5 } = options
    checkArguments(app, rootPath, maxBody, gracefulTimeout)
    const say = (text: string) => errors.write(`${text}\n`)
    const limiter = new LogLimiter({ write: (_level, text) => say(text) })
    this.#limiter = limiter
    const events = new RequestEvents((topic, error) =>
      say(`A listener of ${topic} failed: ${failureText(error)}`),
    )
    logRefusals(events, (level, kind, line) => limiter.log(level, kind, line))
    const record = recorder(options.log)
    if (record !== null) logRequests(events, record)
    const gateway = new ApplicationGateway(
      {
        rootPath,
        limitRequestBody: maxBody,
        responseWindow: RESPONSE_WINDOW,
        memory: UNLIMITED_MEMORY,
        log: {
          error: say,
          warning: say,
          limited: (level, kind, text) => limiter.log(level, kind, text),
        },
        events,
      },
      app,
      { serverSoftware: 'monoceros', multiprocess: false, errors },
    )
    this.#graceMs = gracefulTimeout * 1000
    this.#turnstile = new Turnstile(chain(edgeHandlers(maxBody, events), gateway.handle))
    this.#server = makeHttpServer(this.#turnstile.handle, events)
    this.listening = this.#listen(host, port)
    // The error is thrown by serveForever() and handleRequest().
    this.listening.catch(() => {})
  }

  /** Where it listens; null before that and after a shutdown. */
  get address(): ServerAddress | null {
    return this.#address
  }

  /**
   * Answers requests until {@link shutdown} is called; then it resolves.
   *
   * @throws the system's error, as a rejection, if the address is not available: `EADDRINUSE`,
   * `EACCES`, …
   */
  async serveForever(): Promise<void> {
    await this.listening
    this.#turnstile.open()
    await this.#turnstile.closed
    await this.#ended
  }

  /**
   * Waits for one request and answers it; resolves when its response is complete.
   *
   * @throws as {@link serveForever}
   */
  async handleRequest(): Promise<void> {
    await this.listening
    await this.#turnstile.admitOne()
  }

  /**
   * Accepts no more requests, lets those in progress finish, and resolves when the server has
   * ended. May be called more than once.
   */
  shutdown(): Promise<void> {
    this.#ended ??= this.#shutDown()
    return this.#ended
  }

  async #shutDown(): Promise<void> {
    await this.listening.catch(() => {})
    this.#turnstile.close()
    await this.#server.stop(this.#graceMs)
    this.#limiter.report()
    this.#address = null
  }

  async #listen(host: string, port: number): Promise<ServerAddress> {
    const where = host === '' ? { port } : { host, port }
    const server = await this.#server.listen(where, (error) => console.error(error.message))
    const { address, family, port: bound } = server.address() as AddressInfo
    const any = address === '::' || address === '0.0.0.0'
    const name = any ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
    this.#address = { host: address, port: bound, url: `http://${name}:${bound}` }
    return this.#address
  }
}

function checkArguments(
  app: unknown,
  rootPath: unknown,
  maxBody: number,
  gracefulTimeout: number,
): void {
  if (!isApplication(app))
    throw bad(
      TypeError,
      'app must be a function (environ, startResponse), or an object with a method wsgi, ' +
        `not ${describeValue(app)}`,
    )
  if (typeof rootPath !== 'string' || !/^(\/.*[^/])?$/.test(rootPath))
    throw bad(
      TypeError,
      "rootPath must be '' or a path such as '/shop', without a slash at its end, " +
        `not ${describeValue(rootPath)}`,
    )
  if (!(Number.isSafeInteger(maxBody) && maxBody >= 0))
    throw bad(
      RangeError,
      `maxBody must be a number of bytes, or 0 for no limit, not ${describeValue(maxBody)}`,
    )
  if (
    !(
      typeof gracefulTimeout === 'number' &&
      gracefulTimeout >= 0 &&
      gracefulTimeout * 1000 < 2 ** 31
    )
  )
    throw bad(
      RangeError,
      'gracefulTimeout must be a number of seconds, 0 or more, ' +
        `not ${describeValue(gracefulTimeout)}`,
    )
}

function bad(kind: typeof TypeError | typeof RangeError, what: string): Error {
  return Object.assign(new kind(`makeServer: ${what}`), { code: 'bad-option' })
}

function edgeHandlers(maxBody: number, events: RequestEvents): EdgeHandler[] {
  const limits = {
    limitRequestBody: maxBody,
    memory: UNLIMITED_MEMORY,
    spoolsBodies: false,
    queuesRequests: false,
  }
  return [observeRequests(events), admission(limits, events), trustProxies(NO_PROXIES, events)]
}

function makeHttpServer(handler: RequestHandler, events: RequestEvents): HttpServer {
  return new HttpServer({
    protocol: h1,
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 30, body: 30, wholeBody: 0, keepAlive: 5, write: 30 },
    rates: { body: 240, write: 240 },
    memory: UNLIMITED_MEMORY,
    serverName: 'monoceros',
    handler,
    maxConnections: 0,
    refused: publishEngineRefusals(events),
    turnsAway: () => {},
  })
}

function recorder(log: ServerOptions['log']): ((record: AccessRecord) => void) | null {
  if (log === false) return null
  const format = compileAccessFormat(LOG_FORMAT)
  const write = log ?? ((line: string) => console.error(line))
  return (record) => write(format(record).trimEnd())
}
