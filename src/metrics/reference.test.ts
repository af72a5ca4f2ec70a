import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type MetricDefinition, metricTable } from './metric-table.ts'
import { renderMetrics } from './reference.ts'

const table: readonly MetricDefinition[] = metricTable

test('docs/reference/metrics.md is generated from the table (npm run docs)', () => {
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8')
  expect(page).toBe(renderMetrics())
})

test('names follow the conventions of Prometheus', () => {
  expect(new Set(table.map(({ name }) => name)).size).toBe(table.length)
  for (const { name, type, labels, help, bound, buckets } of table) {
    expect(name).toMatch(/^monoceros_[a-z0-9]+(_[a-z0-9]+)*$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(help, name).toMatch(/^[A-Z0-9][^\n]*\.$/)
    // Every label's values are bounded, and the page says by what.
    if (labels.length > 0) expect(bound, name).toBeDefined()
    expect(buckets !== undefined, name).toBe(type === 'histogram')
    expect([...(buckets ?? [])].sort((a, b) => a - b)).toEqual([...(buckets ?? [])])
  }
})
