import { admission } from '../edge/admission/admission.ts'
import type { DropsLink } from '../edge/cache/shared-drops.ts'
import { chain, type EdgeHandler } from '../edge/chain.ts'
import { observeRequests } from '../edge/observation/observe-requests.ts'
import { trustProxies } from '../edge/trust/trust-proxies.ts'
import type { RequestHandler } from '../http/exchange.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { type Coded, coded } from '../messages/coded.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import { acceptorsOf, runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import type { Spool } from '../spool/spool.ts'
import type { AcceptorMetrics } from './acceptor-metrics.ts'
import type { ArbiterLink } from './acceptor-process.ts'
import type { Backend } from './backend.ts'
import type { Development } from './development.ts'
import type { FileHandlers } from './file-handlers.ts'
import type { InheritedListener } from './messages.ts'
import type { Traces } from './traces.ts'

/** What the handlers of an acceptor are made from. */
export interface RequestHandlerOptions {
  readonly settings: Settings
  readonly events: RequestEvents
  /** Null without `metrics_bind`. */
  readonly metrics: AcceptorMetrics | null
  /** Why this acceptor is not ready, for `health_path`; null if it is. */
  readonly obstacle: () => string | null
  readonly spool: Spool
  readonly log: ErrorLog
  /** Where this acceptor listens. */
  readonly listeners: readonly InheritedListener[]
  /** Logs what a client can cause at will; see `LogLimiter`. */
  readonly warn: (kind: string, text: Coded) => void
  /** Null unless the application is being developed (`--reload`). */
  readonly development: Development | null
  /** See {@link ArbiterLink.takeTokens}. */
  readonly takeTokens: ArbiterLink['takeTokens']
  /** Null without traces. */
  readonly traces: Traces | null
  /** To the caches of the other acceptors. */
  readonly cacheDrops: DropsLink
}

/**
 * Puts the handlers of the edge around the backend. A handler whose setting is off is not in the
 * chain, and a module that only it needs is not loaded.
 */
export async function requestHandler(
  options: RequestHandlerOptions,
  backend: Backend,
): Promise<RequestHandler> {
  const handlers = await edgeHandlers(options)
  const { development } = options
  if (development === null) return chain(handlers, backend.handler)
  // The backend may get its handler later, when the application can be loaded.
  return chain(development.around(handlers), (head, reply) => backend.handler(head, reply))
}

/**
 * The handlers of the edge in their order: a request passes them from the first to the last, its
 * response from the last to the first.
 */
async function edgeHandlers(options: RequestHandlerOptions): Promise<EdgeHandler[]> {
  const { settings, events, spool } = options
  const inProcess = runtimeOf(settings) === 'node'
  const limits = {
    limitRequestBody: settings.limitRequestBody,
    memory: spool.memory,
    spoolsBodies: !inProcess && settings.requestBuffering,
    queuesRequests: !inProcess,
  }
  const trust = {
    proxies: settings.forwardedAllowIps,
    secureHeaders: settings.secureSchemeHeaders,
    forwarderHeaders: settings.forwarderHeaders,
    headerMap: settings.headerMap,
    forwardedHeaders: settings.forwardedHeaders,
  }
  const files = await fileHandlers(options)
  const traces = await tracesOf(options)
  return [
    // Outermost, so that the answer of any other handler is seen.
    ...(options.metrics === null ? [] : [options.metrics.handler]),
    observeRequests(events),
    // The next ones, so that every answer and every line in a log has the trace.
    ...traces.begin,
    ...(await serverTimingOf(options)),
    // Whoever asks for health may use any host name, and plain HTTP.
    ...(await healthOf(options)),
    // Before all that answer, so that every answer has them.
    ...(await securityHeadersOf(options)),
    admission(limits, events),
    trustProxies(trust, events),
    ...(await allowedHostsOf(options)),
    ...(await hstsOf(options)),
    ...(await limitsOf(options)),
    ...(await redirects(options)),
    // Outside of the cache, which would not notice that a file has changed.
    ...files.byPath,
    ...(await cacheOf(options)),
    // Inside of the cache: what is stored is compressed once.
    ...(await compressionOf(options)),
    ...files.byResponse,
    // Innermost: only the application gets another head.
    ...traces.tell,
  ]
}

async function tracesOf({ settings, traces }: RequestHandlerOptions) {
  if (traces === null) return { begin: [], tell: [] }
  const { tellTraces, traceRequests } = await import('../edge/tracing/tracing.ts')
  const begin = traceRequests({
    continues: settings.traceAllowIps ?? settings.forwardedAllowIps,
    sampler: traces.sampler,
    recordsSpans: settings.otlp !== null,
    library: traces.library,
  })
  return { begin: [begin], tell: [tellTraces()] }
}

async function serverTimingOf({ settings, events }: RequestHandlerOptions) {
  const { serverTiming: whom, traceAllowIps, forwardedAllowIps } = settings
  if (whom === 'off') return []
  events.timed = true
  const { serverTiming } = await import('../edge/server-timing/server-timing.ts')
  return [serverTiming({ tells: whom === 'always' ? ['*'] : (traceAllowIps ?? forwardedAllowIps) })]
}

async function healthOf({ settings, obstacle }: RequestHandlerOptions): Promise<EdgeHandler[]> {
  if (settings.healthPath === null) return []
  const { health } = await import('../edge/health/health.ts')
  return [health(settings.healthPath, obstacle)]
}

async function allowedHostsOf(options: RequestHandlerOptions): Promise<EdgeHandler[]> {
  const { settings, events } = options
  if (settings.allowedHosts.length === 0) return []
  const { allowedHosts } = await import('../edge/allowed-hosts/allowed-hosts.ts')
  return [allowedHosts(settings.allowedHosts, events)]
}

async function hstsOf({ settings }: RequestHandlerOptions): Promise<EdgeHandler[]> {
  if (settings.hsts === null) return []
  const { hsts } = await import('../edge/hsts/hsts.ts')
  return [hsts(settings.hsts)]
}

async function cacheOf(options: RequestHandlerOptions): Promise<EdgeHandler[]> {
  const { settings, events, spool, cacheDrops } = options
  if (settings.cache === null) return []
  const { cache } = await import('../edge/cache/cache.ts')
  return [
    cache({
      bytes: Math.ceil(settings.cache / acceptorsOf(settings)),
      largest: settings.cacheEntrySize,
      wait: settings.cacheWait,
      heuristic: settings.cacheHeuristic / 100,
      clientCertificates: settings.certReqs !== 0,
      purgeFrom: settings.cachePurgeFrom,
      memory: spool.memory,
      events,
      others: cacheDrops,
    }),
  ]
}

async function compressionOf(options: RequestHandlerOptions): Promise<EdgeHandler[]> {
  const { settings, spool, warn } = options
  if (!settings.compress) return []
  const { compress } = await import('../edge/compress/compress.ts')
  const levels = Object.fromEntries(
    Object.entries(settings.compressLevel).map(([coding, level]) => [coding, Number(level)]),
  )
  return [
    compress({
      threshold: settings.compressMinimum,
      levels,
      memory: spool.memory,
      failed: (text) => warn('responses that could not be compressed', coded('MONO4045', text)),
    }),
  ]
}

async function redirects({ settings, events, listeners }: RequestHandlerOptions) {
  if (settings.httpRedirect.length === 0) return []
  const { httpsRedirect } = await import('../edge/https-redirect/https-redirect.ts')
  return [httpsRedirect(redirectPorts(settings, listeners), events)]
}

/** A socket of systemd is known by its port, because no setting says what it is for. */
function redirectPorts({ httpRedirect }: Settings, listeners: readonly InheritedListener[]) {
  const named = new Set(httpRedirect.map((text) => Number(text.slice(text.lastIndexOf(':') + 1))))
  const from = new Set<number>()
  let to = 443
  for (const { address, tls, redirects } of listeners.toReversed()) {
    if (address.kind !== 'tcp') continue
    if (tls) to = address.port
    else if (redirects || named.has(address.port)) from.add(address.port)
  }
  return { from, to }
}

async function limitsOf(options: RequestHandlerOptions): Promise<EdgeHandler[]> {
  const { settings, events, log, takeTokens } = options
  if (settings.rateLimit.length === 0) return []
  const { rateLimiting } = await import('./rate-limiting.ts')
  return [await rateLimiting(settings, events, log, takeTokens)]
}

async function securityHeadersOf({ settings }: RequestHandlerOptions): Promise<EdgeHandler[]> {
  if (!settings.securityHeaders) return []
  const { securityHeaders } = await import('../edge/security-headers/security-headers.ts')
  return [securityHeaders()]
}

async function fileHandlers(options: RequestHandlerOptions): Promise<FileHandlers> {
  const { static: folders, sendfileRoot, accelRedirect } = options.settings
  const isEmpty = (record: object) => Object.keys(record).length === 0
  if (isEmpty(folders) && isEmpty(accelRedirect) && sendfileRoot.length === 0)
    return { byPath: [], byResponse: [] }
  const { fileHandlers } = await import('./file-handlers.ts')
  return fileHandlers(options)
}
