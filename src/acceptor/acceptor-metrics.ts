/** What an acceptor counts for `metrics_bind`, which alone loads it. */
import type { EdgeHandler } from '../edge/chain.ts'
import { measureRequests } from '../edge/measure/measure-requests.ts'
import type { HttpServer, Shortage } from '../http/http-server.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import type { LogLimiter } from '../logging/log-limiter.ts'
import { Counts, NamedCounts } from '../metrics/counted.ts'
import { DelayWatch } from '../metrics/delay-watch.ts'
import { RequestMeter } from '../metrics/request-meter.ts'
import type { Series, Snapshot } from '../metrics/snapshot.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import type { Settings } from '../settings/table.ts'
import type { Spool } from '../spool/spool.ts'
import type { SpanCounts } from '../traces/span-exporter.ts'
import type { Backend } from './backend.ts'
import type { SecureConnections } from './secure-connections.ts'
import type { Traces } from './traces.ts'

/** How often the arbiter is told, so that it knows the counts of a process that is killed. */
const TELL_MS = 1000
/** Levels of the log that are counted. */
const LEVELS = ['warning', 'error', 'critical'] as const

/** The parts of an acceptor at this moment; null for what is not there, or not yet. */
export interface MeasuredParts {
  readonly server: HttpServer | null
  readonly backend: Backend | null
  readonly secure: SecureConnections | null
  readonly traces: Traces | null
}

export interface AcceptorMetricsOptions {
  readonly settings: Settings
  readonly events: RequestEvents
  readonly log: ErrorLog
  readonly limiter: LogLimiter | null
  readonly spool: Spool
  readonly parts: () => MeasuredParts
  /** Sends what is counted to the arbiter. */
  readonly tell: (snapshot: Snapshot) => void
}

export class AcceptorMetrics {
  readonly #options: AcceptorMetricsOptions
  readonly #meter: RequestMeter
  readonly #delays = new DelayWatch()
  readonly #refusals = new NamedCounts()
  readonly #turnedAway = new Counts(['connections', 'address', 'descriptors'])
  readonly #entries = new Counts(LEVELS)
  readonly #timer: NodeJS.Timeout
  #rateLimited = 0
  #staticHits = 0

  constructor(options: AcceptorMetricsOptions) {
    const { settings, events, log } = options
    this.#options = options
    this.#meter = new RequestMeter(settings.wsgiApp, settings.cache !== null)
    events.requestRefused.subscribe(({ code, status }) => {
      this.#refusals.add(code)
      if (status === 429) this.#rateLimited++
    })
    events.requestLost.subscribe(({ status }) => this.#meter.lost(status))
    log.listen((level) => {
      if (level === 'warning' || level === 'error' || level === 'critical') this.#entries.add(level)
    })
    this.#timer = setInterval(() => this.tell(), TELL_MS).unref()
  }

  /** The outermost handler. */
  get handler(): EdgeHandler {
    return measureRequests(this.#meter)
  }

  turnedAway(why: Shortage): void {
    this.#turnedAway.add(why)
  }

  staticHit(): void {
    this.#staticHits++
  }

  snapshot(): Snapshot {
    const { settings, limiter, spool } = this.#options
    const { server, backend, secure, traces } = this.#options.parts()
    const spans = traces?.counts ?? null
    return {
      ...this.#meter.snapshot(),
      monoceros_requests_refused_total: this.#refusals.series(),
      ...(server === null ? {} : connectionsOf(server)),
      monoceros_connections_turned_away_total: this.#turnedAway.series(),
      ...(secure === null ? {} : handshakesOf(secure)),
      ...(Object.keys(settings.static).length === 0
        ? {}
        : { monoceros_static_hits_total: single(this.#staticHits) }),
      ...(settings.rateLimit.length === 0
        ? {}
        : { monoceros_rate_limited_total: single(this.#rateLimited) }),
      ...(backend === null ? {} : this.#workersOf(backend)),
      monoceros_event_loop_delay_seconds: [{ labels: [], value: this.#delays.delays.value() }],
      ...budgetsOf(spool),
      ...(spans === null ? {} : spansOf(spans)),
      monoceros_log_entries_total: this.#entries.series(),
      monoceros_log_entries_left_out_total: single(limiter?.leftOut ?? 0),
    }
  }

  #workersOf(backend: Backend): Snapshot {
    const states = { starting: 0, loading: 0, idle: 0, busy: 0, leaving: 0, condemned: 0 }
    const load = backend.load()
    if (load === null) {
      states[this.#meter.inProgress > 0 ? 'busy' : 'idle'] = 1
      return { monoceros_workers: byLabel(states) }
    }
    for (const { state, requests } of backend.report())
      states[state === 'serving' ? (requests > 0 ? 'busy' : 'idle') : state]++
    return {
      monoceros_workers: byLabel(states),
      monoceros_queue_requests: single(load.waiting),
      monoceros_lookahead_requests: single(load.ahead),
      monoceros_exchanges_put_aside: single(load.putAside),
      monoceros_recalls_total: single(load.recalls),
      monoceros_requests_given_back_total: single(load.givenBack),
    }
  }

  tell(): void {
    this.#options.tell(this.snapshot())
  }

  /** Tells the arbiter for the last time. */
  end(): void {
    clearInterval(this.#timer)
    this.#delays.end()
    this.tell()
  }
}

function connectionsOf(server: HttpServer): Snapshot {
  const open: Series[] = []
  for (const [protocol, states] of Object.entries(server.census()))
    for (const [state, value] of Object.entries(states))
      open.push({ labels: [protocol, state], value })
  return {
    monoceros_connections: open,
    monoceros_connections_accepted_total: single(server.accepted),
  }
}

function handshakesOf({ gate, failures, floods }: SecureConnections): Snapshot {
  return {
    monoceros_tls_handshakes_total: byLabel({ done: gate.succeeded, ...failures }),
    monoceros_tls_floods_total: single(floods),
  }
}

function spansOf({ sent, lost, waiting }: Readonly<SpanCounts>): Snapshot {
  return {
    monoceros_spans_total: byLabel({ sent, lost }),
    monoceros_spans_waiting: single(waiting),
  }
}

function budgetsOf({ memory, disk }: Spool): Snapshot {
  return {
    monoceros_client_memory_bytes: single(memory.held),
    monoceros_client_memory_limit_bytes: single(memory.limit),
    monoceros_spool_bytes: single(disk.used),
    monoceros_spool_limit_bytes: single(disk.limits.limit),
  }
}

function single(value: number): Series[] {
  return [{ labels: [], value }]
}

function byLabel(values: Readonly<Record<string, number>>): Series[] {
  return Object.entries(values).map(([label, value]) => ({ labels: [label], value }))
}
