/**
 * The text that Prometheus reads: its own format, or OpenMetrics, which alone has exemplars.
 *
 * prom-client's registry writes both. The values are not counted by prom-client: an observation
 * with labels takes it a microsecond or so, and there would be several for each request.
 */
import type { Metric, Registry as PromRegistry, RegistryContentType } from 'prom-client'
// @ts-expect-error It has types only for the whole package, whose other modules are not needed.
import registryModule from 'prom-client/lib/registry.js'
import { type MetricDefinition, metricTable } from './metric-table.ts'
import type { HistogramValue, Series, Snapshot } from './snapshot.ts'

/** A value as prom-client's registry takes it. */
interface WrittenValue {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
  readonly exemplar?: {
    readonly labelSet: Readonly<Record<string, string>>
    readonly value: number
    readonly timestamp: number
  }
}

export type MetricsFormat = 'prometheus' | 'openmetrics'

const Registry = registryModule as typeof PromRegistry<RegistryContentType>

const CONTENT_TYPES = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const

/** All metrics that the snapshot has, in the order of the table. */
export async function exposition(
  snapshot: Snapshot,
  format: MetricsFormat,
): Promise<{ readonly text: string; readonly contentType: string }> {
  const registry = new Registry()
  registry.setContentType(CONTENT_TYPES[format])
  for (const definition of metricTable as readonly MetricDefinition[]) {
    const series = snapshot[definition.name as keyof Snapshot]
    if (series === undefined || series.length === 0) continue
    const { name, help, type } = definition
    const values = series.flatMap((one) => valuesOf(definition, one))
    // The registry adds `_total` to the series of a counter in OpenMetrics.
    const family = format === 'openmetrics' ? name.replace(/_total$/, '') : name
    const metric = { name, help, type, get: () => ({ name: family, help, type, values }) }
    registry.registerMetric(metric as unknown as Metric)
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

function valuesOf(definition: MetricDefinition, { labels, value }: Series): WrittenValue[] {
  const named = Object.fromEntries(
    definition.labels.map((label, index) => [label, labels[index] ?? '']),
  )
  if (typeof value === 'number') return [{ value, labels: named }]
  return histogramValues(definition, value, named)
}

function histogramValues(
  { name, buckets = [] }: MetricDefinition,
  { counts, sum, exemplars }: HistogramValue,
  labels: Readonly<Record<string, string>>,
): WrittenValue[] {
  let count = 0
  const values: WrittenValue[] = counts.map((inBucket, index) => {
    count += inBucket
    const exemplar = exemplars?.[index] ?? null
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: buckets[index] ?? '+Inf' },
      value: count,
      ...(exemplar === null
        ? {}
        : {
            exemplar: {
              labelSet: { trace_id: exemplar.traceId },
              value: exemplar.value,
              timestamp: exemplar.at,
            },
          }),
    }
  })
  values.push({ metricName: `${name}_sum`, labels, value: sum })
  values.push({ metricName: `${name}_count`, labels, value: count })
  return values
}

/**
 * The format for what a client accepts (RFC 9110 §12.5.1): OpenMetrics if it is preferred to, or as
 * welcome as, plain text.
 *
 * @param accept the value of the field Accept, if there is one
 */
export function formatFor(accept: string | undefined): MetricsFormat {
  let openmetrics = 0
  let plain = 0
  for (const item of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const weight = parameters.find((one) => one.startsWith('q='))
    const quality = weight === undefined ? 1 : Number(weight.slice(2))
    if (!(quality >= 0 && quality <= 1)) continue
    const version = parameters.find((one) => one.startsWith('version='))
    const known = version === undefined || version === 'version=1.0.0'
    if (type === 'application/openmetrics-text' && known)
      openmetrics = Math.max(openmetrics, quality)
    else if (type === 'text/plain' || type === 'text/*' || type === '*/*')
      plain = Math.max(plain, quality)
  }
  return openmetrics > 0 && openmetrics >= plain ? 'openmetrics' : 'prometheus'
}
