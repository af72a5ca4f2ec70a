import { beforeAll, expect, test, vi } from 'vitest'
import { NodeProject } from '../support/node-project.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'

// The server's spans in OpenTelemetry's SDK of an application in TypeScript, which has it from npm,
// as Monoceros.

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

/** Keeps the spans for a page of the application; those of the last batch go to the log. */
const TELEMETRY = `
import { BatchSpanProcessor, InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor }
  from '@opentelemetry/sdk-trace-node'
export const exporter = new InMemorySpanExporter()
const printer = {
  export(spans, done) {
    for (const { name } of spans) console.error('flushed', name)
    done({ code: 0 })
  },
  async shutdown() {},
}
const slowly = new BatchSpanProcessor(printer, { scheduledDelayMillis: 600_000 })
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter), slowly] }).register()
`

const APPLICATION = `
import { trace } from '@opentelemetry/api'
import { exporter } from './telemetry.js'

const tracer = trace.getTracer('the application')
const mark = (name: string) => tracer.startSpan(name).end()

function* pieces(): Generator<Uint8Array> {
  try {
    for (let i = 0; i < 40; i++) {
      mark('piece')
      yield new Uint8Array(50_000)
    }
  } finally {
    mark('end of the body')
  }
}

async function* slowPieces(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    mark('piece')
    yield new Uint8Array(10)
  }
}

export default async (environ: any, startResponse: any) => {
  const path = environ.PATH_INFO
  if (path === '/spans') {
    startResponse('200 OK', [])
    const spans = exporter.getFinishedSpans().map((span: any) => ({
      name: span.name,
      scope: span.instrumentationScope.name,
      traceId: span.spanContext().traceId,
      id: span.spanContext().spanId,
      parent: span.parentSpanContext?.spanId ?? '',
      state: span.spanContext().traceState?.serialize() ?? '',
      kind: span.kind,
      status: span.status.code,
      seconds: span.duration[0] + span.duration[1] / 1e9,
      attributes: span.attributes,
    }))
    return [Buffer.from(JSON.stringify(spans))]
  }
  if (path === '/raise') throw new Error('no')
  await new Promise((resolve) => setTimeout(resolve, 20))
  mark('in the call')
  startResponse('200 OK', [['X-Traceparent', environ.HTTP_TRACEPARENT]])
  return path === '/async' ? slowPieces() : pieces()
}
`

interface MadeSpan {
  readonly name: string
  readonly scope: string
  readonly traceId: string
  readonly id: string
  readonly parent: string
  readonly state: string
  readonly kind: number
  readonly status: number
  readonly seconds: number
  readonly attributes: Record<string, string | number>
}

let project: NodeProject

beforeAll(async () => {
  project = await NodeProject.open('tracing', { python: false })
  project.write('telemetry.js', TELEMETRY)
  project.write('app.ts', APPLICATION)
}, 300_000)

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = project.command('monoceros', ['-b', '127.0.0.1:0', ...args, 'app.ts'])
  return runServer({
    ...command,
    env: { ...command.env, ...environment },
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map(([, url]) => url!),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
  })
}

/** The spans in a trace that have ended. */
async function spansIn(server: RunningServer, traceId: string): Promise<MadeSpan[]> {
  const all = (await (await fetch(`${server.url}/spans`)).json()) as MadeSpan[]
  return all.filter((span) => span.traceId === traceId)
}

async function ask(server: RunningServer, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url + path, { headers })
  await response.arrayBuffer()
  const [, traceId = '', spanId = '', flags = ''] =
    response.headers.get('X-Traceparent')?.split('-') ?? []
  return { traceId, spanId, flags }
}

test('spans of the server and of the application are one trace in the SDK', async () => {
  const collector = await OtlpReceiver.forTest()
  const server = await start(['--otlp', collector.url], { OTEL_BSP_SCHEDULE_DELAY: '10' })
  for (const [path, pieces] of [['/', 40] as const, ['/async', 3] as const]) {
    const traceId = path === '/' ? TRACE : 'a'.repeat(32)
    const headers = { traceparent: `00-${traceId}-${SPAN}-01`, tracestate: 'vendor=1' }
    const told = await ask(server, path, headers)
    await vi.waitFor(
      async () =>
        expect(await spansIn(server, traceId)).toHaveLength(pieces + (path === '/' ? 6 : 5)),
      25_000,
    )
    const spans = await spansIn(server, traceId)
    const named = (name: string) => spans.find((span) => span.name === name)!
    const whole = named('GET')
    expect(whole).toMatchObject({ scope: 'monoceros', parent: SPAN, kind: 1, state: 'vendor=1' })
    expect(whole.attributes).toMatchObject({
      'url.path': path,
      'http.response.status_code': 200,
      'client.address': '127.0.0.1',
    })
    for (const name of ['queue', 'application', 'send'])
      expect(named(name)).toMatchObject({ scope: 'monoceros', parent: whole.id, kind: 0 })
    const application = named('application')
    expect(told).toEqual({ traceId, spanId: application.id, flags: '01' })
    const inside = spans.filter(({ scope }) => scope === 'the application')
    expect(inside.map(({ parent }) => parent)).toEqual(inside.map(() => application.id))
    expect(inside.filter(({ name }) => name === 'piece')).toHaveLength(pieces)
    expect(application.seconds).toBeGreaterThan(0.015)
    expect(whole.seconds).toBeGreaterThanOrEqual(application.seconds)
  }
  const trace = 'b'.repeat(32)
  await ask(server, '/raise', { traceparent: `00-${trace}-${SPAN}-01` })
  await vi.waitFor(async () => expect(await spansIn(server, trace)).toHaveLength(3), 25_000)
  const failed = (await spansIn(server, trace)).find(({ name }) => name === 'GET')
  expect(failed).toMatchObject({ status: 2, attributes: { 'error.type': '500' } })
  expect(server.log()).toMatch(/has an OpenTelemetry SDK: the server's spans go to it, and not to /)
  expect((await server.stop()).code).toBe(0)
  // What waited in the SDK was sent, and nothing by the server itself.
  expect(server.log()).toContain('flushed application')
  expect(collector.requests).toEqual([])
})

test('the SDK is set up before, and its sampler and trace_sample decide', async () => {
  const none = await start(['--trace-context', '--trace-sample', '0'], {
    NODE_OPTIONS: '--import ./telemetry.js',
  })
  const own = await ask(none, '/')
  expect(own.flags).toBe('00')
  const trace = 'c'.repeat(32)
  await ask(none, '/', { traceparent: `00-${trace}-${SPAN}-01` })
  await vi.waitFor(async () => expect(await spansIn(none, trace)).toHaveLength(46), 25_000)
  expect(await spansIn(none, own.traceId)).toEqual([])
})
