import type { RequestEvents } from '../observe/request-events.ts'
import type { RequestTrace } from '../observe/request-trace.ts'
import { Collector } from './collector.ts'
import { exportOptions } from './otel-environment.ts'
import { otlpJson } from './otlp-json.ts'
import { otlpProtobuf } from './otlp-protobuf.ts'
import { spansOf } from './request-spans.ts'
import { resourceOf } from './resource.ts'
import { type ExporterHost, SpanExporter } from './span-exporter.ts'

export interface ExportTracesOptions extends ExporterHost {
  /** The setting `otlp`. */
  readonly endpoint: string
  /** What the service is called, unless the environment names it. */
  readonly application: string
  /** That of Monoceros. */
  readonly version: string
  readonly events: RequestEvents
  readonly env: NodeJS.ProcessEnv
  /** Whether the spans of a request go to the application's SDK; null if it cannot have one. */
  readonly skips: ((trace: RequestTrace) => boolean) | null
}

/**
 * Sends the spans of all requests that are recorded, from now on.
 *
 * @returns null if the environment forbids it (`OTEL_SDK_DISABLED`)
 * @throws TraceSettingsError
 */
export async function exportTraces(options: ExportTracesOptions): Promise<SpanExporter | null> {
  const { endpoint, application, version, events, env, skips } = options
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return null
  const exporting = exportOptions(endpoint, env)
  const source = {
    resource: resourceOf(application, version, env),
    name: 'monoceros',
    version,
  }
  const encoding = exporting.protocol === 'http/json' ? otlpJson(source) : otlpProtobuf(source)
  const collector = await Collector.open(exporting, encoding.contentType)
  const exporter = new SpanExporter(exporting, encoding, collector, options)
  events.timed = true
  events.requestEnded.subscribe((record) => {
    const trace = record.trace
    if (trace?.sampled && !skips?.(trace)) exporter.add(spansOf(record))
  })
  return exporter
}
