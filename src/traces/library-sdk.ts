import { createRequire } from 'node:module'
import type { HrTime, ProxyTracerProvider, Tracer, TracerProvider } from '@opentelemetry/api'
import { wallClock } from './request-spans.ts'

/** What `@opentelemetry/api` exports. */
export type OpenTelemetryApi = typeof import('@opentelemetry/api')

/**
 * Loads the library.
 *
 * @param file from whose folder it is looked for
 * @returns null if there is none that can be used
 */
export function libraryOf(file: string | URL): OpenTelemetryApi | null {
  try {
    return createRequire(file)('@opentelemetry/api') as OpenTelemetryApi
  } catch {
    return null
  }
}

export interface LibrarySdkOptions {
  /** The version of Monoceros. */
  readonly version: string
  /** Called when there is an SDK, and again if it is replaced by another one. */
  readonly used?: () => void
}

/** The SDK of OpenTelemetry in this process. It may be set up at any time. */
export class LibrarySdk {
  readonly #api: OpenTelemetryApi
  readonly #options: LibrarySdkOptions
  /** What stands for an SDK while there is none. */
  readonly #none: TracerProvider
  #provider: TracerProvider | null = null
  #tracer: Tracer | null = null

  constructor(api: OpenTelemetryApi, options: LibrarySdkOptions) {
    this.#api = api
    this.#options = options
    this.#none = new api.ProxyTracerProvider().getDelegate()
  }

  /** What makes our spans. @returns null without an SDK */
  tracer(): Tracer | null {
    const provider = this.#current()
    if (provider !== this.#provider) {
      this.#provider = provider
      const { version, used } = this.#options
      this.#tracer = provider === null ? null : provider.getTracer('monoceros', version)
      if (provider !== null) used?.()
    }
    return this.#tracer
  }

  /** What {@link tracer} has given the last time. */
  get known(): Tracer | null {
    return this.#tracer
  }

  /** Has the SDK send what waits, for that long at most. @param ms milliseconds */
  async flush(ms: number): Promise<void> {
    if (this.tracer() === null) return
    const provider = this.#provider as { forceFlush?: () => Promise<void> }
    const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
    // What it throws is the application's own trouble, and the SDK has logged it.
    await Promise.race([provider.forceFlush?.().catch(() => {}), late])
  }

  #current(): TracerProvider | null {
    const provider = this.#api.trace.getTracerProvider()
    if (!('getDelegate' in provider)) return provider
    // Its class may be of another copy of the library.
    const delegate = (provider as ProxyTracerProvider).getDelegate()
    return delegate === this.#none ? null : delegate
  }
}

/** A time of `performance.now()` as the library has it: seconds since 1970, and nanoseconds. */
export function hrTime(at: number): HrTime {
  const micros = Math.round((wallClock(performance.now()) + at) * 1000)
  return [Math.floor(micros / 1e6), (micros % 1e6) * 1000]
}
