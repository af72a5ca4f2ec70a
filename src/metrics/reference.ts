/**
 * The page `docs/reference/metrics.md`, made from the table of metrics. `npm run docs` writes it.
 */
import { type MetricDefinition, metricTable, REQUEST_SECONDS } from './metric-table.ts'

const table: readonly MetricDefinition[] = metricTable

/** The whole page, in Markdown. */
export function renderMetrics(): string {
  const parts = [introduction()]
  for (const section of new Set(table.map((metric) => metric.section))) {
    parts.push(`## ${section}`)
    const here = table.filter((one) => one.section === section)
    parts.push(...here.map(describe))
  }
  return `${parts.join('\n\n')}\n`
}

function introduction(): string {
  return `# Metrics

<!-- Generated from src/metrics by scripts/generate-docs.mjs; change it there. -->

With \`--metrics-bind 127.0.0.1:9400\` (or \`unix:PATH\`), the server shows these metrics at \`/metrics\`, for Prometheus and whatever reads its format.
[The guide](../guides/metrics.md) has the set-up, a dashboard and alert rules.

- They are the sums over all acceptors.
  A counter never goes back while the server lives: what an acceptor has counted stays when it ends.
  Of an acceptor that is killed, what it counted in its last second may be missing.
- An acceptor that does not answer within a second is \`silent\` in \`monoceros_acceptors\`.
  Its counters stay at what they were, and its gauges are left out.
- Names, labels and units are stable: a release that changes one says so in the changelog.
- How many series there are depends on the settings, never on what clients send.
  The limit is stated at each metric; without one, it has one series.
- Without \`metrics_bind\`, nothing is counted, and nothing of this is loaded.

The text has Prometheus' format, version 0.0.4.
A client that accepts \`application/openmetrics-text\` gets OpenMetrics 1.0.0, whose histograms of requests have exemplars: the \`trace_id\` of the newest request of a bucket, if it was traced.

Histograms of requests have buckets up to ${REQUEST_SECONDS.join(', ')} seconds.`
}

function describe({ name, type, labels, buckets, help, bound }: MetricDefinition): string {
  const names = labels.map((label) => `\`${label}\``).join(', ')
  const facts = [`${type}${labels.length === 0 ? '' : `, by ${names}`}`]
  const lines = [`### \`${name}\``, '', `${facts.join('; ')}`, '', ...help.split(/(?<=\.) /)]
  if (bound !== undefined) lines.push('', `Labels: ${bound}.`)
  if (buckets !== undefined && buckets !== REQUEST_SECONDS)
    lines.push('', `Buckets up to ${buckets.join(', ')} seconds.`)
  return lines.join('\n')
}
