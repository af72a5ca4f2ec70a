import type { Context, Span } from '@opentelemetry/api'
import type { RequestEnded } from '../observe/request-events.ts'
import type { RequestTimes } from '../observe/request-times.ts'
import type { RequestTrace } from '../observe/request-trace.ts'
import { hrTime, LibrarySdk, libraryOf, type OpenTelemetryApi } from './library-sdk.ts'
import { attributesOf, newId, requestAttributes, spanName } from './request-spans.ts'

/** A request whose head has arrived. */
export interface ArrivedRequest {
  readonly method: string
  readonly target: string
  readonly secure: boolean
  readonly times: RequestTimes | null
}

/** The place of a request in the trace of its sender. */
export interface RemoteParent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly state: string
}

export interface LibrarySpansOptions {
  /** The version of Monoceros. */
  readonly version: string
  /**
   * Decides about traces that begin here, by their ids, before the library's own sampler; null to
   * leave it to that one.
   */
  readonly sampler: ((traceId: string) => boolean) | null
  /** Called when the application has an SDK, and again if it takes another one. */
  readonly used: () => void
}

/** A trace whose spans are the library's. */
class LibraryTrace implements RequestTrace {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly state: string
  readonly parentId: string
  readonly span: Span
  /** The context of which {@link span} is the span. */
  readonly context: Context
  application: Span | null = null

  constructor(span: Span, context: Context, parentId: string) {
    const { traceId, spanId, traceFlags, traceState } = span.spanContext()
    this.traceId = traceId
    this.spanId = spanId
    this.sampled = (traceFlags & 1) === 1
    this.state = traceState?.serialize() ?? ''
    this.parentId = parentId
    this.span = span
    this.context = context
  }

  get applicationId(): string {
    return this.application?.spanContext().spanId ?? this.spanId
  }
}

/**
 * The spans of requests to an application in this process that has an SDK of OpenTelemetry. They
 * are made with the application's own copy of `@opentelemetry/api`: so they go where its spans go,
 * and its code runs in the context of our span `application`.
 *
 * The SDK makes the ids, and decides what is recorded. It may be set up at any time; requests that
 * come before have spans of our own, if any.
 */
export class LibrarySpans {
  readonly #api: OpenTelemetryApi
  readonly #options: LibrarySpansOptions
  readonly #sdk: LibrarySdk

  private constructor(api: OpenTelemetryApi, options: LibrarySpansOptions) {
    this.#api = api
    this.#options = options
    this.#sdk = new LibrarySdk(api, options)
  }

  /**
   * Loads the library.
   *
   * @param file the application's, from whose folder the library is looked for
   * @returns null if there is none that can be used
   */
  static find(file: string, options: LibrarySpansOptions): LibrarySpans | null {
    const api = libraryOf(file)
    return api === null ? null : new LibrarySpans(api, options)
  }

  /** Begins the span of a request. @returns null without an SDK */
  begin(request: ArrivedRequest, remote: RemoteParent | null): RequestTrace | null {
    const tracer = this.#sdk.tracer()
    if (tracer === null) return null
    const api = this.#api
    const { sampler } = this.#options
    if (remote === null && sampler !== null) {
      const traceId = newId() + newId()
      if (!sampler(traceId)) return this.#unrecorded(traceId)
    }
    const parent = remote === null ? api.ROOT_CONTEXT : this.#contextOf(remote)
    const options = {
      kind: api.SpanKind.SERVER,
      startTime: hrTime(request.times?.arrived ?? performance.now()),
      attributes: Object.fromEntries(requestAttributes(request)),
    }
    const span = tracer.startSpan(spanName(request.method), options, parent)
    return new LibraryTrace(span, api.trace.setSpan(parent, span), remote?.spanId ?? '')
  }

  /** An application is about to be called. @returns where its code runs; null for anywhere */
  readonly open = (
    trace: RequestTrace | null,
    environ: { [variable: string]: unknown },
  ): { run(part: () => void): void } | null => {
    if (!(trace instanceof LibraryTrace)) return null
    const api = this.#api
    let { context } = trace
    if (trace.span.isRecording()) {
      const options = { kind: api.SpanKind.INTERNAL, startTime: hrTime(performance.now()) }
      const span = this.#sdk.known!.startSpan('application', options, context)
      trace.application = span
      context = api.trace.setSpan(context, span)
      const told = environ.HTTP_TRACEPARENT
      if (typeof told === 'string')
        environ.HTTP_TRACEPARENT = told.replace(trace.spanId, trace.applicationId)
    }
    return { run: (part) => api.context.with(context, part) }
  }

  /** Whether the spans of a request are the library's. */
  readonly has = (trace: RequestTrace): boolean => trace instanceof LibraryTrace

  /** A request has ended. */
  end(record: RequestEnded): void {
    const { trace, times } = record
    if (!(trace instanceof LibraryTrace)) return
    const { span } = trace
    if (!span.isRecording()) return
    const now = performance.now()
    if (times) this.#endParts(trace, times, now)
    for (const [key, value] of attributesOf(record)) span.setAttribute(key, value)
    if (record.status >= 500) span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
    span.end(hrTime(now))
  }

  #endParts({ application, context }: LibraryTrace, times: RequestTimes, now: number): void {
    const part = (name: string, from: number, to: number) =>
      this.#sdk.known!.startSpan(name, { startTime: hrTime(from) }, context).end(hrTime(to))
    const { queued, begun, answered, finished } = times
    if (queued > 0) part('queue', queued, begun || finished || now)
    application?.end(hrTime(finished || now))
    if (answered > 0) part('send', answered, now)
  }

  /** Has the SDK send what waits, for that long at most. @param ms milliseconds */
  async flush(ms: number): Promise<void> {
    await this.#sdk.flush(ms)
  }

  #contextOf({ traceId, spanId, sampled, state }: RemoteParent): Context {
    const { ROOT_CONTEXT, trace, TraceFlags, createTraceState } = this.#api
    return trace.setSpanContext(ROOT_CONTEXT, {
      traceId,
      spanId,
      isRemote: true,
      traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      ...(state === '' ? {} : { traceState: createTraceState(state) }),
    })
  }

  #unrecorded(traceId: string): LibraryTrace {
    const { ROOT_CONTEXT, trace, TraceFlags } = this.#api
    const span = trace.wrapSpanContext({ traceId, spanId: newId(), traceFlags: TraceFlags.NONE })
    return new LibraryTrace(span, trace.setSpan(ROOT_CONTEXT, span), '')
  }
}
