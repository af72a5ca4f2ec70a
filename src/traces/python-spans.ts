/**
 * Spans of a Python application that a program in TypeScript calls (`pythonApp`), made with the SDK
 * of OpenTelemetry that this program has set up.
 *
 * Without an SDK nothing is loaded or looked for, and a request costs one look at a global.
 */
import { join } from 'node:path'
import type { Context, Span, TextMapGetter, TextMapSetter, Tracer } from '@opentelemetry/api'
import { RequestTimes } from '../observe/request-times.ts'
import { ownFile } from '../own-files/own-files.ts'
import { hrTime, LibrarySdk, libraryOf, type OpenTelemetryApi } from './library-sdk.ts'

/** The variables of a request, as WSGI has them. */
type Environ = Readonly<Record<string, unknown>>

/** What has been set up with any copy of `@opentelemetry/api` 1.x is a property of `globalThis`. */
const SET_UP = Symbol.for('opentelemetry.js.api.1')

interface Library {
  readonly api: OpenTelemetryApi
  readonly sdk: LibrarySdk
}

/** Makes the spans of one application. */
export class PythonSpans {
  readonly #application: string
  readonly #version: string
  /** Null until something has been set up. */
  #libraries: readonly Library[] | null = null

  /**
   * @param application as in `flaskapp:app`
   * @param version of Monoceros
   */
  constructor(application: string, version: string) {
    this.#application = application
    this.#version = version
  }

  /**
   * The application is called: its span begins, within the active one. Without an active span it
   * continues the trace that the environ names.
   *
   * @returns null without an SDK
   */
  begin(environ: Environ): PythonSpan | null {
    if (!(SET_UP in globalThis)) return null
    this.#libraries ??= this.#find()
    for (const { api, sdk } of this.#libraries) {
      const tracer = sdk.tracer()
      if (tracer !== null) return this.#begin(api, tracer, environ)
    }
    return null
  }

  #begin(api: OpenTelemetryApi, tracer: Tracer, environ: Environ): PythonSpan {
    const active = api.context.active()
    const parent =
      api.trace.getSpan(active) === undefined
        ? api.propagation.extract(active, environ, GETTER)
        : active
    const times = new RequestTimes(performance.now())
    const options = {
      kind: api.SpanKind.INTERNAL,
      startTime: hrTime(times.arrived),
      attributes: { 'monoceros.application': this.#application },
    }
    const span = tracer.startSpan('application', options, parent)
    const context = api.trace.setSpan(parent, span)
    return new PythonSpan({ api, tracer, span, context, times, environ })
  }

  /** The program's own copy comes first: one that is newer than that does not see the SDK. */
  #find(): Library[] {
    return [join(process.cwd(), 'package.json'), ownFile('package.json')].flatMap((file) => {
      const api = libraryOf(file)
      return api === null ? [] : [{ api, sdk: new LibrarySdk(api, { version: this.#version }) }]
    })
  }
}

interface Parts {
  readonly api: OpenTelemetryApi
  readonly tracer: Tracer
  readonly span: Span
  /** The context of which {@link span} is the span. */
  readonly context: Context
  readonly times: RequestTimes
  readonly environ: Environ
}

/** The span of one call, and that of its wait for a worker within it. */
export class PythonSpan {
  /** Whoever runs the application notes here when it begins. */
  readonly times: RequestTimes
  /** The environ of the call with the place of this span in its trace. The other is not changed. */
  readonly environ: Environ
  /** Of the response; 0 until there is one. */
  status = 0
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
    this.times = parts.times
    const { api, context, environ } = parts
    const told: Record<string, unknown> = Object.create(environ)
    // What is not written now belongs to the span of somebody else.
    for (const field of api.propagation.fields()) told[variable(field)] = undefined
    api.propagation.inject(context, told, SETTER)
    this.environ = told
  }

  /** The whole response is there, or there is none. @param error why; null if the client left */
  end(error: Error | null): void {
    const { api, tracer, span, context, times } = this.#parts
    if (!span.isRecording()) return
    const now = performance.now()
    if (times.queued > 0) {
      tracer
        .startSpan('queue', { startTime: hrTime(times.queued) }, context)
        .end(hrTime(times.begun || now))
    }
    if (this.status > 0) span.setAttribute('http.response.status_code', this.status)
    if (error !== null) span.recordException(error, hrTime(now))
    if (error !== null || this.status >= 500) {
      const { code } = (error ?? {}) as { code?: unknown }
      span.setAttribute('error.type', String(code ?? error?.name ?? this.status))
      span.setStatus({ code: api.SpanStatusCode.ERROR })
    }
    span.end(hrTime(now))
  }
}

/** `traceparent` → `HTTP_TRACEPARENT` */
function variable(field: string): string {
  return `HTTP_${field.toUpperCase().replaceAll('-', '_')}`
}

const GETTER: TextMapGetter<Environ> = {
  get(environ, field) {
    const value = environ[variable(field)]
    return typeof value === 'string' ? value : undefined
  },
  keys: (environ) =>
    Object.keys(environ).flatMap((name) =>
      name.startsWith('HTTP_') ? [name.slice(5).toLowerCase().replaceAll('_', '-')] : [],
    ),
}

const SETTER: TextMapSetter<Record<string, unknown>> = {
  set(environ, field, value) {
    environ[variable(field)] = value
  },
}
