import { describe, expect, it } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import type { Collector, Outcome } from './collector.ts'
import { exportOptions } from './otel-environment.ts'
import { otlpJson } from './otlp-json.ts'
import { INTERNAL, type Span } from './span.ts'
import { SpanExporter } from './span-exporter.ts'

const span = (name = 'a'): Span => ({
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentId: '',
  state: '',
  name,
  kind: INTERNAL,
  start: 1,
  end: 2,
  attributes: [],
  failed: false,
  remoteParent: false,
})

/** An exporter to a collector that answers with the outcomes in turn, and the last one again. */
function exporting(outcomes: readonly (Outcome | 'never')[], env: NodeJS.ProcessEnv = {}) {
  const bodies: string[] = []
  const warnings: string[] = []
  let held = 0
  let stop: (outcome: Outcome) => void = () => {}
  const collector = {
    name: 'http://collector/v1/traces',
    send: (body: Buffer): Promise<Outcome> => {
      const outcome = outcomes[Math.min(bodies.length, outcomes.length - 1)]!
      bodies.push(body.toString())
      if (outcome !== 'never') return Promise.resolve(outcome)
      return new Promise((resolve) => {
        stop = resolve
      })
    },
    close: () => stop({ kind: 'later', reason: 'the server stops', after: null }),
  } as unknown as Collector
  const options = exportOptions('http://collector', { OTEL_BSP_SCHEDULE_DELAY: '1', ...env })
  const encoding = otlpJson({ resource: [], name: 'test', version: '1' })
  const exporter = new SpanExporter(options, encoding, collector, {
    memory: { add: (bytes) => (held += bytes) },
    warn: (text) => warnings.push(text),
  })
  return { exporter, bodies, warnings, held: () => held }
}

const TAKEN: Outcome = { kind: 'taken', response: Buffer.alloc(0) }
const LATER: Outcome = { kind: 'later', reason: 'connect ECONNREFUSED', after: 1 }
const REFUSED: Outcome = { kind: 'refused', reason: 'it answered 404 [MONO8402]' }

describe('a collector that works', () => {
  it('gets what waits in one request, and nothing stays in memory', async () => {
    const { exporter, bodies, held, warnings } = exporting([TAKEN])
    exporter.add([span('a'), span('b')])
    exporter.add([span('c')])
    expect(held()).toBeGreaterThan(100)
    await waitFor('a request', () => exporter.counts.sent === 3)
    expect(bodies).toHaveLength(1)
    await waitFor('the end', () => held() === 0)
    expect(exporter.counts).toEqual({ sent: 3, lost: 0, waiting: 0 })
    await exporter.close(1000)
    expect(warnings).toEqual([])
  })

  it('gets batches of the size that is set', async () => {
    const env = { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2' }
    const { exporter, bodies } = exporting([TAKEN], env)
    for (let i = 0; i < 5; i++) exporter.add([span()])
    await waitFor('all', () => exporter.counts.sent === 5)
    expect(bodies.map((body) => body.split('"spanId"').length - 1)).toEqual([2, 2, 1])
  })

  it('gets what waits when the server stops', async () => {
    const { exporter, bodies } = exporting([TAKEN], { OTEL_BSP_SCHEDULE_DELAY: '600000' })
    exporter.add([span()])
    await exporter.close(5000)
    expect(bodies).toHaveLength(1)
    expect(exporter.counts).toEqual({ sent: 1, lost: 0, waiting: 0 })
  })

  it('may refuse some of them', async () => {
    const response = Buffer.from('{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}')
    const { exporter } = exporting([{ kind: 'taken', response }])
    exporter.add([span(), span()])
    await waitFor('the answer', () => exporter.counts.sent > 0)
    expect(exporter.counts).toEqual({ sent: 1, lost: 1, waiting: 0 })
  })
})

describe('a collector that does not work', () => {
  it('is asked again, and the log says when it is gone and when it is back', async () => {
    const { exporter, bodies, warnings } = exporting([LATER, LATER, TAKEN])
    exporter.add([span()])
    await waitFor('the third attempt', () => exporter.counts.sent === 1)
    expect(new Set(bodies).size).toBe(1)
    expect(warnings).toEqual([
      'Spans cannot be sent to http://collector/v1/traces: connect ECONNREFUSED; trying again ' +
        '[MONO8402]',
      'Spans are sent to http://collector/v1/traces again; none was lost [MONO8403]',
    ])
  })

  it('is given up after six attempts', async () => {
    const { exporter, bodies, held } = exporting([LATER])
    exporter.add([span()])
    await waitFor('the last attempt', () => exporter.counts.lost === 1)
    expect(bodies).toHaveLength(6)
    await waitFor('the memory', () => held() === 0)
  })

  it('is not asked again if it refuses', async () => {
    const { exporter, bodies, warnings } = exporting([REFUSED])
    exporter.add([span()])
    await waitFor('the loss', () => exporter.counts.lost === 1)
    expect(bodies).toHaveLength(1)
    expect(warnings).toEqual([
      'Spans cannot be sent to http://collector/v1/traces: it answered 404 [MONO8402]',
    ])
  })

  it('keeps a bounded number of spans, and the rest is counted', async () => {
    const env = { OTEL_BSP_MAX_QUEUE_SIZE: '100', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' }
    const { exporter, warnings, held } = exporting(['never'], env)
    for (let i = 0; i < 1000; i++) exporter.add([span(), span(), span()])
    expect(exporter.counts).toEqual({ sent: 0, lost: 2901, waiting: 99 })
    await exporter.close(10)
    expect(exporter.counts).toEqual({ sent: 0, lost: 3000, waiting: 0 })
    expect(held()).toBe(0)
    expect(warnings.at(-1)).toMatch(/^\d+ spans were not sent to http:\/\/collector\/v1\/traces: /)
  })

  it('keeps a bounded number of bytes', () => {
    const { exporter, held } = exporting(['never'], { OTEL_BSP_MAX_QUEUE_SIZE: '1000000' })
    for (let i = 0; i < 10_000; i++) exporter.add([span('x'.repeat(2000))])
    expect(held()).toBeLessThan(4.1 * 1024 * 1024)
    expect(exporter.counts.lost).toBeGreaterThan(7000)
  })

  it('does not hold up the end of the server, not even between two attempts', async () => {
    const { exporter } = exporting([{ ...LATER, after: 3_600_000 }])
    exporter.add([span()])
    await waitFor('an attempt', () => exporter.counts.waiting === 1)
    await new Promise((resolve) => setTimeout(resolve, 5))
    await exporter.close(1000)
    expect(exporter.counts).toEqual({ sent: 0, lost: 1, waiting: 0 })
  })
})
