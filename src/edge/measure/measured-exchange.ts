import type { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, type ResponseHead, responseField } from '../../http/response-head.ts'
import type { RequestMeter } from '../../metrics/request-meter.ts'
import { RequestTimes } from '../../observe/request-times.ts'
import { CACHE_NAME } from '../cache/cache-status.ts'
import { endedStatus } from '../ended-status.ts'
import { RelayedExchange } from '../relayed-exchange.ts'

/** Takes the times of a request, and counts its bytes. */
export class MeasuredExchange extends RelayedExchange {
  readonly #meter: RequestMeter
  readonly #head: RequestHead
  readonly #times = new RequestTimes(performance.now())
  /** When the response began; 0 if it has not. */
  #answeredAt = 0
  #status: number | undefined = undefined
  #received = 0
  readonly #isHttp2: boolean

  constructor(meter: RequestMeter, head: RequestHead, reply: Reply) {
    super(reply)
    this.#meter = meter
    this.#head = head
    head.times = this.#times
    this.#isHttp2 = head.protocol === 'HTTP/2.0'
    meter.begun(this.#isHttp2)
  }

  override bodyData(chunk: Buffer): void {
    this.#received += chunk.length
    this.sink.bodyData(chunk)
  }

  override closed(completed: boolean, refusedWith?: number): void {
    const { bytesSent } = this.reply
    this.sink.closed(completed, refusedWith)
    if (this.#isHttp2) this.#meter.streamEnded()
    const now = performance.now()
    const { arrived, queued, begun, finished } = this.#times
    const meter = this.#meter
    const trace = this.#head.trace
    const traceId = trace?.sampled ? trace.traceId : null
    if (begun !== 0) {
      const work = ((finished || now) - begun) / 1000
      meter.worked((begun - queued) / 1000, work, traceId)
    }
    meter.ended(
      this.#head.method,
      endedStatus(this.#status, completed, refusedWith),
      (now - arrived) / 1000,
      this.#answeredAt === 0 ? -1 : (this.#answeredAt - arrived) / 1000,
      this.#received,
      bytesSent,
      traceId,
    )
  }

  override respond(head: ResponseHead, body: Span): boolean {
    this.#answered(head.status)
    if (this.#meter.hasCache) this.#countCached(head)
    return this.reply.respond(head, body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    this.#answered(head.status)
    if (this.#meter.hasCache) this.#countCached(head)
    return this.reply.start(head, body)
  }

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.#answered(status)
    this.reply.refuse(status, options)
  }

  #answered(status: number): void {
    this.#answeredAt = performance.now()
    this.#status = status
  }

  #countCached(head: ResponseHead): void {
    const value = responseField(head, 'cache-status')
    if (value?.includes(CACHE_NAME)) this.#meter.cached(value)
  }
}
