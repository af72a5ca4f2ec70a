/**
 * Every metric of the server, in the order in which they are shown. `docs/reference/metrics.md` is
 * made from this table (`npm run docs`).
 *
 * Names and units follow Prometheus' conventions: base units (seconds, bytes) in the name, counters
 * end in `_total`. What bounds the values of a label is in {@link MetricDefinition.bound}, so that
 * no client decides how many series there are.
 */

export interface MetricDefinition {
  readonly name: `monoceros_${string}`
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly section: 'Server' | 'Requests' | 'Connections' | 'Edge' | 'Workers' | 'Resources' | 'Log'
  readonly labels: readonly string[]
  /** Upper bounds of a histogram's buckets, ascending, without the last one, `+Inf`. */
  readonly buckets?: readonly number[]
  /** What it is, on one line; also `# HELP`. */
  readonly help: string
  /** The values of its labels, and what bounds their number. Markdown. */
  readonly bound?: string
}

/** From half a millisecond to a minute: each bound is about twice the one before. */
export const REQUEST_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const
export const LOAD_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120] as const
export const DELAY_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

const METHODS =
  '`method`: those of RFC 9110 and `PATCH`, all others are `other`; `status`: `1xx` to `5xx`'
const APPLICATION = '`application`: as the server was told, such as `shop.wsgi:application`'
const PROCESS =
  '`process`: `arbiter`, `acceptor`, `worker`; `slot`: 1 to the most processes of that kind at a ' +
  'time: a new process takes the lowest free number'
const SLOT = '`slot`: that of the acceptor in `process`'

export const metricTable = [
  {
    name: 'monoceros_info',
    type: 'gauge',
    section: 'Server',
    labels: ['version', 'node', 'runtime', 'application'],
    help: 'Always 1; its labels say what runs.',
    bound: 'one series',
  },
  {
    name: 'monoceros_start_time_seconds',
    type: 'gauge',
    section: 'Server',
    labels: [],
    help: 'When the server was started, in seconds since 1970.',
  },
  {
    name: 'monoceros_ready',
    type: 'gauge',
    section: 'Server',
    labels: [],
    help: '1 while the server is not stopping and a worker serves, otherwise 0.',
  },
  {
    name: 'monoceros_reloads_total',
    type: 'counter',
    section: 'Server',
    labels: ['result'],
    help: 'Reloads that have ended.',
    bound: '`result`: `done`, `failed`, `abandoned`',
  },
  {
    name: 'monoceros_last_reload_failed',
    type: 'gauge',
    section: 'Server',
    labels: [],
    help: '1 if the newest reload failed, so that something older serves; otherwise 0.',
  },
  {
    name: 'monoceros_acceptors',
    type: 'gauge',
    section: 'Server',
    labels: ['state'],
    help: 'Acceptor processes, by whether they answered within a second when they were asked.',
    bound: '`state`: `answering`, `starting`, `silent`',
  },
  {
    name: 'monoceros_acceptor_ends_total',
    type: 'counter',
    section: 'Server',
    labels: ['cause'],
    help: 'Acceptor processes that have ended.',
    bound: '`cause`: `stopped` (it was told to), `crashed`',
  },
  {
    name: 'monoceros_requests_total',
    type: 'counter',
    section: 'Requests',
    labels: ['method', 'status', 'application'],
    help: 'Requests that have ended. If a client left before its answer, that is a 4xx (499).',
    bound: `${METHODS}; ${APPLICATION}`,
  },
  {
    name: 'monoceros_requests_in_progress',
    type: 'gauge',
    section: 'Requests',
    labels: ['application'],
    help: 'Requests whose head has been read and that have not ended.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_duration_seconds',
    type: 'histogram',
    section: 'Requests',
    labels: ['application'],
    buckets: REQUEST_SECONDS,
    help: 'From the end of the head until the last byte of the response was given to the kernel.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_first_byte_seconds',
    type: 'histogram',
    section: 'Requests',
    labels: ['application'],
    buckets: REQUEST_SECONDS,
    help: 'From the end of the request head until the response began.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_queue_seconds',
    type: 'histogram',
    section: 'Requests',
    labels: ['application'],
    buckets: REQUEST_SECONDS,
    help: 'How long a complete request waited for a worker, also if a worker had it already.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_application_seconds',
    type: 'histogram',
    section: 'Requests',
    labels: ['application'],
    buckets: REQUEST_SECONDS,
    help: 'From when a worker could begin the request until it had given its whole response.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_body_bytes_total',
    type: 'counter',
    section: 'Requests',
    labels: ['application'],
    help: 'Bytes of request bodies that have been read, without chunked framing.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_response_body_bytes_total',
    type: 'counter',
    section: 'Requests',
    labels: ['application'],
    help: 'Bytes of response bodies that have been sent, without chunked framing.',
    bound: APPLICATION,
  },
  {
    name: 'monoceros_request_losses_total',
    type: 'counter',
    section: 'Requests',
    labels: ['cause'],
    help: 'Requests that no worker could answer: 502, 503 and 504.',
    bound: '`cause`: `worker-ended` (502), `no-capacity` (503), `timeout` (504)',
  },
  {
    name: 'monoceros_requests_refused_total',
    type: 'counter',
    section: 'Requests',
    labels: ['reason'],
    help: 'Messages that the server refused by itself. Those with a valid head are requests too.',
    bound:
      '`reason`: a name of a rule in the source code, such as `header-timeout`, ' +
      '`body-too-large`, `rate-limit`, `http2-flood` or `no-memory`, at most 100',
  },
  {
    name: 'monoceros_http2_streams_total',
    type: 'counter',
    section: 'Requests',
    labels: [],
    help: 'Requests over HTTP/2 that have ended.',
  },
  {
    name: 'monoceros_http2_streams',
    type: 'gauge',
    section: 'Requests',
    labels: [],
    help: 'Requests over HTTP/2 that are in progress.',
  },
  {
    name: 'monoceros_connections',
    type: 'gauge',
    section: 'Connections',
    labels: ['protocol', 'state'],
    help: 'Connections of clients that are open.',
    bound:
      '`protocol`: `http1`, `http2`, `opening` (a handshake of TLS, or a first line); ' +
      '`state`: `idle`, `active`',
  },
  {
    name: 'monoceros_connections_accepted_total',
    type: 'counter',
    section: 'Connections',
    labels: [],
    help: 'Connections that have been accepted, those that were turned away included.',
  },
  {
    name: 'monoceros_connections_turned_away_total',
    type: 'counter',
    section: 'Connections',
    labels: ['reason'],
    help: 'Connections that were answered 503 or closed, because there are too many.',
    bound:
      '`reason`: `connections` (max_connections), `address` ' +
      '(limit_connections_per_address), `descriptors`',
  },
  {
    name: 'monoceros_tls_handshakes_total',
    type: 'counter',
    section: 'Connections',
    labels: ['result'],
    help: 'TLS handshakes that have ended.',
    bound:
      '`result`: `done`, `failed`, `plain` (plain HTTP), `left` (by the client), `overdue` ' +
      '(handshake_timeout, or given up for others)',
  },
  {
    name: 'monoceros_tls_floods_total',
    type: 'counter',
    section: 'Connections',
    labels: [],
    help: 'Connections that were closed because of TLS records without data.',
  },
  {
    name: 'monoceros_cache_requests_total',
    type: 'counter',
    section: 'Edge',
    labels: ['result'],
    help: 'Requests by what the response cache made of them. Only with cache.',
    bound:
      '`result`: `hit`, `collapsed`, or why the application was asked (RFC 9211): ' +
      '`bypass`, `method`, `uri-miss`, `vary-miss`, `stale`, `request`, `other`',
  },
  {
    name: 'monoceros_static_hits_total',
    type: 'counter',
    section: 'Edge',
    labels: [],
    help: 'Requests that were answered with a file of a static folder. Only with static.',
  },
  {
    name: 'monoceros_rate_limited_total',
    type: 'counter',
    section: 'Edge',
    labels: [],
    help: 'Requests that were answered 429. Only with rate_limit.',
  },
  {
    name: 'monoceros_workers',
    type: 'gauge',
    section: 'Workers',
    labels: ['state'],
    help: 'Workers; an application in TypeScript runs in acceptors, which count as workers.',
    bound:
      '`state`: `starting`, `loading`, `idle`, `busy`, `leaving`, `condemned` (it is being killed)',
  },
  {
    name: 'monoceros_workers_wanted',
    type: 'gauge',
    section: 'Workers',
    labels: [],
    help: 'How many workers the server should have.',
  },
  {
    name: 'monoceros_worker_starts_total',
    type: 'counter',
    section: 'Workers',
    labels: [],
    help: 'Python workers that have been started.',
  },
  {
    name: 'monoceros_worker_ends_total',
    type: 'counter',
    section: 'Workers',
    labels: ['cause'],
    help: 'Python workers that have ended.',
    bound:
      '`cause`: `crashed`, `timed-out`, `load-failed`, `acceptor-ended` (its acceptor was killed ' +
      'or has failed), `stopped` (a reload, another number of workers, a restart by command, ' +
      'the end), and replaced ones: `max-requests`, `max-memory`, `max-lifetime`, `exhausted`',
  },
  {
    name: 'monoceros_queue_requests',
    type: 'gauge',
    section: 'Workers',
    labels: [],
    help: 'Complete requests that wait in an acceptor for a worker.',
  },
  {
    name: 'monoceros_lookahead_requests',
    type: 'gauge',
    section: 'Workers',
    labels: [],
    help: 'Requests that a worker has in addition to those that it runs.',
  },
  {
    name: 'monoceros_exchanges_put_aside',
    type: 'gauge',
    section: 'Workers',
    labels: [],
    help: 'Responses that wait for their clients and keep no thread of a worker busy.',
  },
  {
    name: 'monoceros_recalls_total',
    type: 'counter',
    section: 'Workers',
    labels: [],
    help: 'How often a worker was asked to give back requests that it had not begun.',
  },
  {
    name: 'monoceros_requests_given_back_total',
    type: 'counter',
    section: 'Workers',
    labels: [],
    help: 'Requests that a worker has given back before it began them.',
  },
  {
    name: 'monoceros_worker_load_seconds',
    type: 'histogram',
    section: 'Workers',
    labels: [],
    buckets: LOAD_SECONDS,
    help: 'From the start of a Python worker until it served: the loads that succeeded.',
  },
  {
    name: 'monoceros_process_resident_memory_bytes',
    type: 'gauge',
    section: 'Resources',
    labels: ['process', 'slot'],
    help: 'Resident memory of each process. Only on Linux.',
    bound: PROCESS,
  },
  {
    name: 'monoceros_process_cpu_seconds_total',
    type: 'counter',
    section: 'Resources',
    labels: ['process', 'slot'],
    help: 'Processor time of each process and of those that had its slot before. Only on Linux.',
    bound: PROCESS,
  },
  {
    name: 'monoceros_event_loop_delay_seconds',
    type: 'histogram',
    section: 'Resources',
    labels: ['slot'],
    buckets: DELAY_SECONDS,
    help: 'How late a timer of each acceptor is, ten times a second.',
    bound: SLOT,
  },
  {
    name: 'monoceros_client_memory_bytes',
    type: 'gauge',
    section: 'Resources',
    labels: [],
    help: 'Bytes that acceptors hold in memory for clients.',
  },
  {
    name: 'monoceros_client_memory_limit_bytes',
    type: 'gauge',
    section: 'Resources',
    labels: [],
    help: 'The limit of that (client_memory).',
  },
  {
    name: 'monoceros_spool_bytes',
    type: 'gauge',
    section: 'Resources',
    labels: [],
    help: 'Bytes in temporary files: request bodies, and responses of slow clients.',
  },
  {
    name: 'monoceros_spool_limit_bytes',
    type: 'gauge',
    section: 'Resources',
    labels: [],
    help: 'The limit of that (spool_size).',
  },
  {
    name: 'monoceros_log_entries_total',
    type: 'counter',
    section: 'Log',
    labels: ['level'],
    help: 'Entries of the error log of acceptors, without what the application prints.',
    bound: '`level`: `warning`, `error`, `critical`',
  },
  {
    name: 'monoceros_log_entries_left_out_total',
    type: 'counter',
    section: 'Log',
    labels: [],
    help:
      'Entries that clients can cause at will and that were not written, because they ' +
      'were too many.',
  },
  {
    name: 'monoceros_spans_total',
    type: 'counter',
    section: 'Log',
    labels: ['result'],
    help: 'Spans of requests that the collector has taken or that were lost; only with otlp.',
    bound: '`result`: `sent`, `lost`',
  },
  {
    name: 'monoceros_spans_waiting',
    type: 'gauge',
    section: 'Log',
    labels: [],
    help: 'Spans that wait or are being sent; only with otlp.',
  },
] as const satisfies readonly MetricDefinition[]

export type MetricName = (typeof metricTable)[number]['name']
