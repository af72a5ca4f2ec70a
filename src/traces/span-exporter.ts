import { type Coded, coded } from '../messages/coded.ts'
import type { Collector, Outcome } from './collector.ts'
import type { ExportOptions } from './otel-environment.ts'
import type { OtlpEncoding } from './otlp-encoding.ts'
import type { Span } from './span.ts'

/** What the exporter needs of the process around it. */
export interface ExporterHost {
  /** Counts the memory that waiting spans take: clients choose how much that is. */
  readonly memory: { add(bytes: number): void }
  warn(text: Coded): void
}

/** What has become of the spans of this process. */
export interface SpanCounts {
  /** The collector has taken them. */
  sent: number
  /** They were lost: there was no space, or the collector did not take them. */
  lost: number
  /** They wait, or are being sent. */
  waiting: number
}

/** All spans that wait have at most this size, in bytes. */
const MOST_BYTES = 4 * 1024 * 1024
/** A batch is given up after so many attempts. */
const ATTEMPTS = 6
/** The wait before the second attempt; each further one is twice as long. Milliseconds. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 30_000
/** While spans are lost, the log has how many at most this often. Milliseconds. */
const REPORT_EVERY = 60_000

/**
 * Sends spans to a collector, in batches, beside the requests: nothing waits for it. If the
 * collector is slow or unreachable, up to a bounded number of spans waits, and further ones are
 * lost and counted.
 */
export class SpanExporter {
  readonly counts: SpanCounts = { sent: 0, lost: 0, waiting: 0 }
  readonly #options: ExportOptions
  readonly #encoding: OtlpEncoding
  readonly #collector: Collector
  readonly #host: ExporterHost
  /** Encoded. */
  #waiting: Buffer[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null
  #closing = false
  /** Nothing is sent any more. */
  #closed = false
  /** Ends the wait before another attempt. */
  #wake: (() => void) | null = null
  /** The collector does not work, and the log has it. */
  #troubled = false
  /** Lost spans that the log does not have yet. */
  #unreported = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(
    options: ExportOptions,
    encoding: OtlpEncoding,
    collector: Collector,
    host: ExporterHost,
  ) {
    this.#options = options
    this.#encoding = encoding
    this.#collector = collector
    this.#host = host
  }

  /** Takes the spans of a request, all or none of them. */
  add(spans: readonly Span[]): void {
    const { counts } = this
    if (counts.waiting + spans.length > this.#options.mostWaiting || this.#bytes > MOST_BYTES)
      return this.#lose(spans.length)
    for (const span of spans) {
      const encoded = this.#encoding.span(span)
      this.#waiting.push(encoded)
      this.#count(1, encoded.length)
    }
    if (this.#sending !== null) return
    if (this.#waiting.length >= this.#options.mostInBatch) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), this.#options.delay).unref()
  }

  /**
   * Sends what waits, without further attempts, for that long at most.
   *
   * @param ms milliseconds
   */
  async close(ms: number): Promise<void> {
    this.#closing = true
    this.#wake?.()
    if (this.#sending === null && this.#waiting.length > 0) this.#send()
    if (this.#sending !== null) await Promise.race([this.#sending, after(ms)])
    this.#closed = true
    this.#collector.close()
    await this.#sending
    if (this.#unreported > 0) this.#report('the server has stopped')
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#sending = this.#sendBatches().finally(() => {
      this.#sending = null
    })
  }

  /** Until fewer wait than a batch has. */
  async #sendBatches(): Promise<void> {
    const { mostInBatch } = this.#options
    do {
      const batch = this.#waiting.splice(0, mostInBatch)
      await this.#sendBatch(batch)
      this.#count(-batch.length, -batch.reduce((sum, { length }) => sum + length, 0))
    } while (this.#waiting.length >= (this.#closing ? 1 : mostInBatch))
    if (this.#waiting.length > 0)
      this.#timer = setTimeout(() => this.#send(), this.#options.delay).unref()
  }

  async #sendBatch(batch: readonly Buffer[]): Promise<void> {
    if (this.#closed) return this.#lose(batch.length)
    const body = this.#encoding.request(batch)
    let wait = FIRST_WAIT
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#collector.send(body)
      if (outcome.kind === 'taken') {
        const rejected = Math.min(this.#encoding.rejected(outcome.response), batch.length)
        this.counts.sent += batch.length - rejected
        this.#works()
        if (rejected > 0) this.#lose(rejected, 'the collector has refused some of them')
        return
      }
      const isLast = outcome.kind === 'refused' || attempt === ATTEMPTS || this.#closing
      this.#troubles(outcome)
      if (isLast) return this.#lose(batch.length, outcome.reason)
      // At random, so that many processes do not come back at the same moment.
      await this.#sleep(outcome.after ?? wait * (0.5 + Math.random()))
      wait = Math.min(wait * 2, LONGEST_WAIT)
    }
  }

  #sleep(ms: number): Promise<void> {
    if (this.#closing) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      timer.unref()
      this.#wake = done
      function done() {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #count(spans: number, bytes: number): void {
    this.counts.waiting += spans
    this.#bytes += bytes
    this.#host.memory.add(bytes)
  }

  #lose(spans: number, reason = 'there are more than the collector takes'): void {
    this.counts.lost += spans
    this.#unreported += spans
    const now = performance.now()
    // The first loss is not alone, as a rule.
    if (this.#reportedAt === Number.NEGATIVE_INFINITY) this.#reportedAt = now - REPORT_EVERY + 1000
    if (now - this.#reportedAt >= REPORT_EVERY && !this.#closing) this.#report(reason)
  }

  #report(reason: string): void {
    const lost = this.#unreported
    this.#unreported = 0
    this.#reportedAt = performance.now()
    const spans = lost === 1 ? 'A span was' : `${lost} spans were`
    this.#host.warn(coded('MONO8402', `${spans} not sent to ${this.#collector.name}: ${reason}`))
  }

  #troubles({ kind, reason }: Exclude<Outcome, { kind: 'taken' }>): void {
    if (this.#troubled || this.#closing) return
    this.#troubled = true
    const then = kind === 'later' ? '; trying again' : ''
    this.#host.warn(
      coded('MONO8402', `Spans cannot be sent to ${this.#collector.name}: ${reason}${then}`),
    )
  }

  #works(): void {
    if (!this.#troubled) return
    this.#troubled = false
    const lost = this.#unreported
    this.#unreported = 0
    this.#reportedAt = performance.now()
    const meanwhile = lost === 0 ? 'none was lost' : `${lost} were lost in the meantime`
    this.#host.warn(
      coded('MONO8403', `Spans are sent to ${this.#collector.name} again; ${meanwhile}`),
    )
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref()
  })
}
