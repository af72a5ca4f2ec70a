import type { IncomingMessage, ServerResponse } from 'node:http'
import { type NodeHandler, toNodeHandler } from '../adapters/to-node-handler.ts'
import { pythonApp } from '../python-app/python-app.ts'
import type { PythonLogEntry } from '../python-app/python-log.ts'
import { loadApplication } from '../runtimes/node/load-application.ts'
import { errorStream } from '../wsgi/error-stream.ts'
import { failureStatus, failureText } from '../wsgi/failure.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { withClient } from './client-script.ts'
import { errorPage } from './error-page.ts'
import { type OverlayError, overlayError } from './overlay-error.ts'
import { PrintedTracebacks } from './printed-tracebacks.ts'
import type { CheckedMount } from './vite-options.ts'

/** What an application needs of the server that it is mounted in. */
export interface ViteHost {
  /** The folder of the project. */
  readonly root: string
  /** The address of Vite's client; null in a preview, which has none. */
  readonly client: string | null
  readonly log: ViteLog
  /** Imports a module of TypeScript; a later call gives another one when a file has changed. */
  importModule(file: string): Promise<Record<string, unknown>>
  /** Shows an error in all browsers that are connected. */
  showError(error: OverlayError): void
  /** Removes it. */
  clearError(): void
  /** Loads all pages again. */
  refreshPages(): void
}

/** Vite's own log. */
export interface ViteLog {
  info(text: string, options?: { timestamp?: boolean }): void
  warn(text: string, options?: { timestamp?: boolean }): void
  error(text: string, options?: { timestamp?: boolean }): void
}

/** A request was answered with an error this long ago at most: milliseconds. */
const RECENT_MS = 1000
const STAMPED = { timestamp: true }

/** Answers one request; `next` continues with Vite's own middleware. */
export type ViteMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/** An application in a server of Vite. */
export interface ServedApplication {
  readonly middleware: ViteMiddleware
  /** A module that Vite has compiled for the server has changed. */
  changed(): void
  close(): Promise<void>
}

/** Serves a Python application: starts its workers with the first request. */
export function servePython(mount: CheckedMount, host: ViteHost): ServedApplication {
  const { app: name, refresh, python } = mount
  const isDevelopment = host.client !== null
  const errors = new ErrorReports(name, host)
  const printed = new PrintedTracebacks((text) => errors.printed(text))
  const write = (entry: PythonLogEntry) => {
    if (entry.source === 'stderr' && isDevelopment) printed.line(entry.text)
    if (python.log !== undefined) python.log(entry)
    else logEntry(entry, host.log)
    // After the head was sent, an error can only be logged.
    const { source, level, text } = entry
    if (source === 'server' && level === 'error' && text.includes('Traceback (most recent'))
      errors.show(text)
  }
  const app = pythonApp(name, {
    chdir: host.root,
    reload: isDevelopment,
    // The plugin closes it, also when Vite starts again.
    shared: false,
    ...python,
    ...(isDevelopment ? { env: developmentEnv(python.env) } : {}),
    log: write,
    onReload: (event) => {
      if (event.kind === 'failed') {
        errors.show(failureText(event.error))
        return
      }
      host.log.info(`${name} reloaded`, STAMPED)
      if (refresh) host.refreshPages()
      else host.clearError()
    },
  })
  return {
    middleware: middlewareOf(app, errors, host),
    changed: () => {}, // it watches its files itself
    close: () => app.close(),
  }
}

/** Serves an application in TypeScript, from the modules that Vite has compiled. */
export function serveModule(mount: CheckedMount, host: ViteHost): ServedApplication {
  return new ServedModule(mount, host)
}

/** Changes come together; and Vite's own copies of modules are dropped a moment after a change. */
const QUIET_MS = 50
/** How often it is looked for a new module after a change. */
const MOST_LOOKS = 5

class ServedModule implements ServedApplication {
  readonly #mount: CheckedMount
  readonly #host: ViteHost
  readonly #errors: ErrorReports
  #current: { readonly module: unknown; readonly middleware: ViteMiddleware } | null = null
  #failed = false
  /** What pages show that are not told of the change yet; a request may load the next one first. */
  #shown: { readonly module: unknown } | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(mount: CheckedMount, host: ViteHost) {
    this.#mount = mount
    this.#host = host
    this.#errors = new ErrorReports(mount.app, host)
  }

  readonly middleware: ViteMiddleware = (request, response, next) => {
    this.#load().then(
      (middleware) => middleware(request, response, next),
      (error) => {
        this.#failed = true
        this.#errors.answer(error, request, response)
      },
    )
  }

  changed(): void {
    // Nobody has asked for it yet.
    if (this.#current === null && !this.#failed) return
    this.#shown ??= { module: this.#current?.module }
    this.#lookLater(MOST_LOOKS)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
  }

  #lookLater(looks: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#look(looks), QUIET_MS)
  }

  async #look(looks: number): Promise<void> {
    try {
      await this.#load()
    } catch (error) {
      this.#failed = true
      const text = failureText(error)
      this.#host.log.error(text, STAMPED)
      this.#errors.show(text)
      return
    }
    if (this.#current?.module === this.#shown?.module && !this.#failed) {
      if (looks > 1) this.#lookLater(looks - 1)
      return
    }
    this.#failed = false
    this.#shown = null
    this.#host.log.info(`${this.#mount.app} reloaded`, STAMPED)
    if (this.#mount.refresh) this.#host.refreshPages()
    else this.#host.clearError()
  }

  async #load(): Promise<ViteMiddleware> {
    const { root, importModule } = this.#host
    let module: unknown
    const app = await loadApplication(this.#mount.app, root, undefined, async (file) => {
      const imported = await importModule(file)
      module = imported
      return imported
    })
    if (this.#current?.module !== module || this.#current === null)
      this.#current = { module, middleware: middlewareOf(app, this.#errors, this.#host) }
    return this.#current.middleware
  }
}

function middlewareOf(app: WSGIApplication, errors: ErrorReports, host: ViteHost): ViteMiddleware {
  if (host.client === null) return toNodeHandler(app)
  const handler: NodeHandler = toNodeHandler(withClient(host.client)(app), {
    passErrors: true,
    errors: errorStream((text) => host.log.error(text.trimEnd(), STAMPED)),
  })
  return (request, response, next) => {
    response.once('finish', () => {
      if (response.statusCode >= 500) errors.answered()
    })
    handler(request, response, (error) => {
      if (error === undefined) next()
      else errors.answer(error, request, response)
    })
  }
}

/** Shows the errors of one application: to whoever has sent the request, and in the overlay. */
class ErrorReports {
  readonly #app: string
  readonly #host: ViteHost
  /** The last traceback that was printed, unless it was shown. */
  #printed: { readonly text: string; readonly at: number } | null = null
  #answeredAt = Number.NEGATIVE_INFINITY

  constructor(app: string, host: ViteHost) {
    this.#app = app
    this.#host = host
  }

  /** Answers a request with an error that the application has thrown. */
  answer(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const { client, log } = this.#host
    const text = failureText(error)
    const { originalUrl = request.url } = request as { originalUrl?: string }
    log.error(`${request.method} ${originalUrl}: ${text}`, STAMPED)
    const shown = this.show(text)
    this.#printed = null
    if (response.headersSent || response.destroyed) return
    const isPage = client !== null && asksForPage(request)
    const body = Buffer.from(isPage ? errorPage(shown, client, text) : `${text}\n`)
    response.statusCode = failureStatus(error)
    response.setHeader('Content-Type', `text/${isPage ? 'html' : 'plain'}; charset=utf-8`)
    response.setHeader('Cache-Control', 'no-store')
    response.setHeader('Content-Length', body.length)
    response.end(body)
  }

  /** The application has printed a traceback. */
  printed(text: string): void {
    this.#printed = { text, at: performance.now() }
    this.#showPrinted()
  }

  /** The application itself has answered a request with an error of its own. */
  answered(): void {
    this.#answeredAt = performance.now()
    this.#showPrinted()
  }

  show(text: string): OverlayError {
    const error = overlayError(text, this.#app)
    this.#host.showError(error)
    return error
  }

  /** Shows what was printed for an answer. Either of them may be noticed first. */
  #showPrinted(): void {
    const printed = this.#printed
    if (printed === null || Math.abs(printed.at - this.#answeredAt) > RECENT_MS) return
    this.#printed = null
    this.show(printed.text)
  }
}

/** Whether a browser asks for a page. */
function asksForPage({ method, headers }: IncomingMessage): boolean {
  const to = headers['sec-fetch-dest']
  if (to !== undefined) return to === 'document' || to === 'iframe'
  return (method === 'GET' || method === 'HEAD') && (headers.accept ?? '').includes('text/html')
}

/** Flask passes errors on only with its debug flag, and answers them itself without. */
function developmentEnv(
  env: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  return process.env.FLASK_DEBUG === undefined ? { FLASK_DEBUG: '1', ...env } : { ...env }
}

function logEntry({ source, level, text }: PythonLogEntry, log: ViteLog): void {
  if (source !== 'server') log.info(text)
  else if (level === 'error' || level === 'critical') log.error(text, STAMPED)
  else if (level === 'warning') log.warn(text, STAMPED)
  else if (level === 'info') log.info(text, STAMPED)
}
