import type { AddressInfo } from 'node:net'
import { insistOnNode } from '../process/other-runtime.ts'
import { isApplication } from '../wsgi/application.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import type { ErrorStream, WSGIApplication } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import type { Engine, EngineOptions } from './engine.ts'

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

/** Where a server listens, as reported by the operating system. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:8000` */
  readonly url: string
}

/** What to do on Bun and Deno. */
const INSTEAD =
  'Use toFetchHandler(app) with Bun.serve or Deno.serve, or toNodeHandler(app) with createServer ' +
  'of node:http.'

/**
 * Makes the reference server: a small server in this process, on the same HTTP engine as the
 * command. It is for learning, for tests, and for programs that serve an application beside other
 * work. In production use the command, which has several processes and replaces those that fail.
 *
 * It binds at once, see {@link WSGIServer.listening}, and answers when {@link
 * WSGIServer.serveForever} or {@link WSGIServer.handleRequest} is called; until then clients wait.
 *
 * @param host an address or a name; `''` for all addresses
 * @param port 0 for a free port, see {@link WSGIServer.address}
 * @throws TypeError or RangeError (`bad-option`) for an invalid option, and if `app` is not an
 * application
 * @throws NeedsNodeError (`needs-node`) on Bun and Deno
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
  readonly #engine: Promise<Engine>
  readonly #graceMs: number
  #address: ServerAddress | null = null
  #ended: Promise<void> | null = null

  constructor(host: string, port: number, app: WSGIApplication, options: ServerOptions) {
    insistOnNode('makeServer', INSTEAD)
    const { rootPath = '', errors = consoleErrors, maxBody = 0, gracefulTimeout = 5 } = options
    checkArguments(app, rootPath, maxBody, gracefulTimeout)
    this.#engine = loadEngine(app, { log: options.log, errors, rootPath, maxBody })
    this.#graceMs = gracefulTimeout * 1000
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
    const { turnstile } = await this.#engine
    turnstile.open()
    await turnstile.closed
    await this.#ended
  }

  /**
   * Waits for one request and answers it; resolves when its response is complete.
   *
   * @throws as {@link serveForever}
   */
  async handleRequest(): Promise<void> {
    await this.listening
    const { turnstile } = await this.#engine
    await turnstile.admitOne()
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
    const { server, turnstile, limiter } = await this.#engine
    turnstile.close()
    await server.stop(this.#graceMs)
    limiter.report()
    this.#address = null
  }

  async #listen(host: string, port: number): Promise<ServerAddress> {
    const where = host === '' ? { port } : { host, port }
    const engine = await this.#engine
    const server = await engine.server.listen(where, (error) => console.error(error.message))
    const { address, family, port: bound } = server.address() as AddressInfo
    const any = address === '::' || address === '0.0.0.0'
    const name = any ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
    this.#address = { host: address, port: bound, url: `http://${name}:${bound}` }
    return this.#address
  }
}

/** Only when there is a server: most programs that import the package make none. */
async function loadEngine(app: WSGIApplication, options: EngineOptions): Promise<Engine> {
  const { makeEngine } = await import('./engine.ts')
  return makeEngine(app, options)
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
