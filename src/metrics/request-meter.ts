import { Counts, Histogram } from './counted.ts'
import { REQUEST_SECONDS } from './metric-table.ts'
import type { Series, Snapshot } from './snapshot.ts'

/** Methods that have a series of their own (RFC 9110 §9.3, RFC 5789); all others share one. */
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'other',
] as const
const CLASSES = 5

const CACHE_RESULTS = [
  'hit',
  'collapsed',
  'bypass',
  'method',
  'uri-miss',
  'vary-miss',
  'stale',
  'request',
  'other',
] as const

function isCacheResult(text: string): text is (typeof CACHE_RESULTS)[number] {
  return (CACHE_RESULTS as readonly string[]).includes(text)
}

/** What is counted of each request. Its methods are on the way of every request: they only add. */
export class RequestMeter {
  readonly #application: string
  readonly #requests = new Float64Array(METHODS.length * CLASSES)
  readonly #duration = new Histogram(REQUEST_SECONDS)
  readonly #firstByte = new Histogram(REQUEST_SECONDS)
  readonly #queue = new Histogram(REQUEST_SECONDS)
  readonly #work = new Histogram(REQUEST_SECONDS)
  readonly #losses = new Counts(['worker-ended', 'no-capacity', 'timeout'])
  readonly #cache = new Counts(CACHE_RESULTS)
  #http2 = 0
  #http2Ended = 0
  #received = 0
  #sent = 0
  #inProgress = 0

  /** Whether there is a response cache, whose results are to be counted. */
  readonly hasCache: boolean

  /** @param application the name of the application, for the label */
  constructor(application: string, hasCache: boolean) {
    this.#application = application
    this.hasCache = hasCache
  }

  get inProgress(): number {
    return this.#inProgress
  }

  /** @param http2 it came over HTTP/2 */
  begun(http2: boolean): void {
    this.#inProgress++
    if (http2) this.#http2++
  }

  /** A request over HTTP/2 has ended; {@link ended} is called as well. */
  streamEnded(): void {
    this.#http2--
    this.#http2Ended++
  }

  /** @param cacheStatus the value of Cache-Status (RFC 9211); the last member is this server's */
  cached(cacheStatus: string): void {
    const own = cacheStatus.slice(cacheStatus.lastIndexOf(',') + 1)
    const result = own.includes('; hit')
      ? 'hit'
      : own.includes('; collapsed')
        ? 'collapsed'
        : (/; fwd=([a-z-]+)/.exec(own)?.[1] ?? 'other')
    this.#cache.add(isCacheResult(result) ? result : 'other')
  }

  /** No worker could answer a request. @param status 502, 503 or 504 */
  lost(status: number): void {
    this.#losses.add(status === 502 ? 'worker-ended' : status === 504 ? 'timeout' : 'no-capacity')
  }

  /**
   * @param firstByte seconds until the response began; -1 if there was none
   * @param received bytes of request body
   * @param sent bytes of response body
   * @param traceId the trace that the request belongs to, if there is one
   */
  ended(
    method: string,
    status: number,
    seconds: number,
    firstByte: number,
    received: number,
    sent: number,
    traceId: string | null,
  ): void {
    this.#inProgress--
    this.#requests[methodIndex(method) * CLASSES + statusIndex(status)]!++
    this.#duration.observe(seconds, traceId)
    if (firstByte >= 0) this.#firstByte.observe(firstByte, traceId)
    this.#received += received
    this.#sent += sent
  }

  /**
   * An application has had a request.
   *
   * @param queue seconds for which it waited for a worker
   * @param work seconds until the application had given its whole response, or the client had left
   */
  worked(queue: number, work: number, traceId: string | null): void {
    this.#queue.observe(Math.max(0, queue), traceId)
    this.#work.observe(Math.max(0, work), traceId)
  }

  snapshot(): Snapshot {
    const application = this.#application
    const one = (histogram: Histogram): Series[] => [
      { labels: [application], value: histogram.value() },
    ]
    return {
      monoceros_requests_total: this.#requestSeries(),
      monoceros_request_losses_total: this.#losses.series(),
      monoceros_http2_streams_total: [{ labels: [], value: this.#http2Ended }],
      monoceros_http2_streams: [{ labels: [], value: this.#http2 }],
      ...(this.hasCache ? { monoceros_cache_requests_total: this.#cache.series() } : {}),
      monoceros_requests_in_progress: [{ labels: [application], value: this.#inProgress }],
      monoceros_request_duration_seconds: one(this.#duration),
      monoceros_request_first_byte_seconds: one(this.#firstByte),
      monoceros_request_queue_seconds: one(this.#queue),
      monoceros_request_application_seconds: one(this.#work),
      monoceros_request_body_bytes_total: [{ labels: [application], value: this.#received }],
      monoceros_response_body_bytes_total: [{ labels: [application], value: this.#sent }],
    }
  }

  /** Those that have been seen. */
  #requestSeries(): Series[] {
    const series: Series[] = []
    this.#requests.forEach((value, index) => {
      if (value === 0) return
      const method = METHODS[Math.floor(index / CLASSES)]!
      const status = `${(index % CLASSES) + 1}xx`
      series.push({ labels: [method, status, this.#application], value })
    })
    return series
  }
}

function methodIndex(method: string): number {
  // By far the most frequent ones first: most requests take one comparison.
  if (method === 'GET') return 0
  const index = (METHODS as readonly string[]).indexOf(method)
  return index === -1 ? METHODS.length - 1 : index
}

function statusIndex(status: number): number {
  return Math.min(CLASSES - 1, Math.max(0, Math.floor(status / 100) - 1))
}
