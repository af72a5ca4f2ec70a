import { basename, resolve } from 'node:path'
import type { Sampler } from '../edge/tracing/tracing.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import type { LibrarySpans } from '../traces/library-spans.ts'
import { makeSampler } from '../traces/sampler.ts'
import type { SpanCounts, SpanExporter } from '../traces/span-exporter.ts'

/** Sending what waits must not hold up the end of a process. Milliseconds. */
const LONGEST_CLOSE = 2000

/** The traces of an acceptor; this module is loaded only with `trace_context` or `otlp`. */
export class Traces {
  readonly sampler: Sampler
  /** Spans by the application's SDK; null if it cannot have one. */
  readonly library: LibrarySpans | null
  readonly #exporter: SpanExporter | null

  private constructor(
    sampler: Sampler,
    library: LibrarySpans | null,
    exporter: SpanExporter | null,
  ) {
    this.sampler = sampler
    this.library = library
    this.#exporter = exporter
  }

  /** @throws TraceSettingsError */
  static async open(
    settings: Settings,
    events: RequestEvents,
    memory: MemoryBudget,
    log: ErrorLog,
  ): Promise<Traces> {
    const { env } = process
    const sampler = makeSampler(settings.traceSample, env)
    const library = await findLibrary(settings, sampler, events, log)
    const { otlp } = settings
    if (otlp === null) return new Traces(sampler, library, null)
    const { exportTraces } = await import('../traces/export-traces.ts')
    const exporter = await exportTraces({
      endpoint: otlp,
      application: nameOf(settings.wsgiApp),
      version,
      events,
      env,
      memory,
      warn: (text) => log.warning(text),
      skips: library?.has ?? null,
    })
    return new Traces(sampler, library, exporter)
  }

  /** What has become of the spans; null if none are sent. */
  get counts(): Readonly<SpanCounts> | null {
    return this.#exporter?.counts ?? null
  }

  /** Sends what waits. */
  async close(graceMs: number): Promise<void> {
    const ms = Math.min(graceMs, LONGEST_CLOSE)
    await Promise.all([this.#exporter?.close(ms), this.library?.flush(ms)])
  }
}

/** An SDK of an application in TypeScript, which may have one or not. */
async function findLibrary(
  settings: Settings,
  sampler: Sampler,
  events: RequestEvents,
  log: ErrorLog,
): Promise<LibrarySpans | null> {
  if (runtimeOf(settings) !== 'node') return null
  const { LibrarySpans } = await import('../traces/library-spans.ts')
  const [place = ''] = settings.wsgiApp.split(REFERENCE)
  const file = place.startsWith('file://') ? place : resolve(settings.chdir, place)
  const { otlp, traceSample } = settings
  const library = LibrarySpans.find(file, {
    version,
    // The variables of OpenTelemetry are the SDK's own.
    sampler: traceSample === null ? null : (traceId) => sampler(traceId, null),
    used: () => {
      const instead = otlp === null ? '' : `, and not to ${otlp} (otlp)`
      log.info(`The application has an OpenTelemetry SDK: the server's spans go to it${instead}`)
    },
  })
  if (library === null) return null
  events.timed = true
  events.requestEnded.subscribe((record) => library.end(record))
  return library
}

/** Between the file and the name in it; not the colon of `file://` or of a Windows drive. */
const REFERENCE = /:(?![\\/])/

/** `shop.wsgi` of `shop.wsgi:app`, `server` of `./src/server.ts`. */
function nameOf(application: string): string {
  const [place = ''] = application.split(REFERENCE)
  return basename(place).replace(/\.[cm]?[jt]sx?$/, '') || 'monoceros'
}
