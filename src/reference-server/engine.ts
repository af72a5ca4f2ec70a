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
import { failureText } from '../wsgi/failure.ts'
import type { ErrorStream, WSGIApplication } from '../wsgi/types.ts'
import { Turnstile } from './turnstile.ts'

/** The parts of a reference server that answer requests. */
export interface Engine {
  readonly server: HttpServer
  readonly turnstile: Turnstile
  readonly limiter: LogLimiter
}

/** What it is made with; options have been checked. */
export interface EngineOptions {
  /** Gets a line for each request; `false` turns that off. Standard error by default. */
  readonly log: ((line: string) => void) | false | undefined
  readonly errors: ErrorStream
  readonly rootPath: string
  readonly maxBody: number
}

/** It serves clients directly. */
const NO_PROXIES: TrustOptions = {
  proxies: [],
  secureHeaders: {},
  forwarderHeaders: [],
  headerMap: 'drop',
  forwardedHeaders: null,
}

const RESPONSE_WINDOW = 256 * 1024
const LOG_FORMAT = '%(h)s - - %(t)s "%(r)s" %(s)s %(b)s'

/** Makes the HTTP engine of a reference server, and what is between it and the application. */
export function makeEngine(app: WSGIApplication, options: EngineOptions): Engine {
  const { rootPath, errors, maxBody } = options
  const say = (text: string) => errors.write(`${text}\n`)
  const limiter = new LogLimiter({ write: (_level, text) => say(text) })
  const events = new RequestEvents((topic, error) =>
    say(`A listener of ${topic} failed: ${failureText(error)}`),
  )
  logRefusals(events, {
    info: (kind, line) => limiter.log('info', kind, line),
    warning: (kind, line) => limiter.log('warning', kind, line),
  })
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
  const turnstile = new Turnstile(chain(edgeHandlers(maxBody, events), gateway.handle))
  return { server: makeHttpServer(turnstile.handle, events), turnstile, limiter }
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

function recorder(log: EngineOptions['log']): ((record: AccessRecord) => void) | null {
  if (log === false) return null
  const format = compileAccessFormat(LOG_FORMAT)
  const write = log ?? ((line: string) => console.error(line))
  return (record) => write(format(record).trimEnd())
}
