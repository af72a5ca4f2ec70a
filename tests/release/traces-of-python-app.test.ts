import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { NodeProject } from '../support/node-project.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { decodedSpans, pythonWithTraces, TRACED_FLASK } from '../support/traces-in-python.ts'

// Traces of a Python application that a program in TypeScript calls: spans of the program's SDK,
// ours, and those of OpenTelemetry's instrumentation of Flask are one trace.

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

const TELEMETRY = `
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor }
  from '@opentelemetry/sdk-trace-node'
export const exporter = new InMemorySpanExporter()
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
export function finished() {
  return exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    scope: span.instrumentationScope.name,
    trace: span.spanContext().traceId,
    id: span.spanContext().spanId,
    parent: span.parentSpanContext?.spanId ?? '',
    status: span.status.code,
    start: span.startTime[0] * 1e9 + span.startTime[1],
    end: span.endTime[0] * 1e9 + span.endTime[1],
    attributes: span.attributes,
    events: span.events.map(({ name }) => name),
  }))
}
`

/** A server of Node's own. Below /traced it has a span for each request, as instrumentation has. */
const HOST = `
import { createServer } from 'node:http'
import { pythonApp, toNodeHandler } from 'monoceros'
TELEMETRY
const shop = toNodeHandler(pythonApp('shop:app', { python: process.env.SHOP_PYTHON }))
createServer((request, response) => {
  if (request.url === '/spans') return response.end(JSON.stringify(finished()))
  if (!request.url.startsWith('/traced')) return shop(request, response)
  request.url = request.url.slice('/traced'.length)
  trace.getTracer('the host').startActiveSpan('GET', (span) => {
    response.once('close', () => span.end())
    shop(request, response)
  })
}).listen(0, '127.0.0.1', function () {
  console.log('Listening at http://127.0.0.1:' + this.address().port)
})
`

/** The same application of Python within one in TypeScript. */
const SERVED = `
import { dispatcher, pythonApp } from 'monoceros'
import { finished } from './telemetry.js'
const spans = async (environ: any, startResponse: any) => {
  startResponse('200 OK', [])
  return [Buffer.from(JSON.stringify(finished()))]
}
export default dispatcher(pythonApp('shop:app'), { '/spans': spans })
`

/** What a worker gets of the trace; and how it fails. */
const SHOP = `
import time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("no")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.2)
    start_response("200 OK", [
        ("X-Traceparent", environ.get("HTTP_TRACEPARENT", "none")),
        ("X-Tracestate", environ.get("HTTP_TRACESTATE", "none")),
    ])
    return [b"hello"]
`

interface MadeSpan {
  readonly name: string
  readonly scope: string
  readonly trace: string
  readonly id: string
  readonly parent: string
  readonly status: number
  readonly start: number
  readonly end: number
  readonly attributes: Record<string, string | number>
  readonly events: readonly string[]
}

let project: NodeProject

beforeAll(async () => {
  project = await NodeProject.open('tracing')
  const sdk =
    "import { trace } from '@opentelemetry/api'\nimport { finished } from './telemetry.js'"
  project.write('telemetry.js', TELEMETRY)
  project.write('host.js', HOST.replace('TELEMETRY', sdk))
  project.write('plain.js', HOST.replace('TELEMETRY', 'const finished = () => []'))
  project.write('served.ts', SERVED)
  project.write('shop.py', SHOP)
}, 300_000)

function start(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = project.command(program, args)
  return runServer({
    ...command,
    env: { ...command.env, ...environment },
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map(([, url]) => url!),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
  })
}

async function ask(server: RunningServer, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(server.url + path, { headers })
  await response.arrayBuffer()
  return response
}

/** The spans in a trace, when there are as many. */
async function spansIn(server: RunningServer, trace: string, count: number): Promise<MadeSpan[]> {
  return await vi.waitFor(async () => {
    const all = (await (await fetch(`${server.url}/spans`)).json()) as MadeSpan[]
    const spans = all.filter((span) => span.trace === trace)
    expect(spans).toHaveLength(count)
    return spans
  }, 20_000)
}

const sent = (trace: string) => ({
  traceparent: `00-${trace}-${SPAN}-01`,
  tracestate: 'vendor=1',
})

describe.runIf(hasPython())('spans of a Python application in a server of others', () => {
  test('are within the active span, and Python gets their place', async () => {
    const server = await start('./host.js', [])
    // Of a server without instrumentation that reads it: the trace of the client is not this one.
    const answer = await ask(server, '/traced/slow', sent(TRACE))
    const [, trace = '', id = '', flags] = answer.headers.get('X-Traceparent')!.split('-')
    expect([trace, flags]).not.toEqual([TRACE, '00'])
    expect(answer.headers.get('X-Tracestate')).toBe('none')
    const spans = await spansIn(server, trace, 3)
    const named = (name: string) => spans.find((span) => span.name === name)!
    const application = named('application')
    expect(application).toMatchObject({
      scope: 'monoceros',
      parent: named('GET').id,
      id,
      status: 0,
    })
    expect(application.attributes).toEqual({
      'monoceros.application': 'shop:app',
      'http.response.status_code': 200,
    })
    const queue = named('queue')
    expect(queue).toMatchObject({ scope: 'monoceros', parent: application.id })
    expect(queue.start).toBeGreaterThanOrEqual(application.start)
    // The rest of the time was Python's.
    expect(application.end - queue.end).toBeGreaterThan(0.19e9)
  })

  test('continue the trace of the client without an active span', async () => {
    const server = await start('./host.js', [])
    const answer = await ask(server, '/', sent(TRACE))
    const application = (await spansIn(server, TRACE, 2)).find(
      ({ name }) => name === 'application',
    )!
    expect(application.parent).toBe(SPAN)
    expect(answer.headers.get('X-Traceparent')).toBe(`00-${TRACE}-${application.id}-01`)
    expect(answer.headers.get('X-Tracestate')).toBe('vendor=1')
    const failed = 'a'.repeat(32)
    expect((await ask(server, '/raise', sent(failed))).status).toBe(500)
    const [span] = (await spansIn(server, failed, 2)).filter(({ name }) => name === 'application')
    expect(span).toMatchObject({ status: 2, events: ['exception'] })
    expect(span!.attributes['error.type']).toBe('python-error')
  })

  test('are not there without an SDK, and the environ is passed on', async () => {
    const server = await start('./plain.js', [])
    const answer = await ask(server, '/', sent(TRACE))
    expect(answer.headers.get('X-Traceparent')).toBe(`00-${TRACE}-${SPAN}-01`)
    expect(answer.headers.get('X-Tracestate')).toBe('vendor=1')
  })

  test('are within the span of the application that the command serves', async () => {
    const server = await start('monoceros', [
      ...['-b', '127.0.0.1:0', '--trace-context'],
      'served.ts',
    ])
    const answer = await ask(server, '/', sent(TRACE))
    const spans = await spansIn(server, TRACE, 6)
    const [outer, inner] = spans
      .filter(({ name }) => name === 'application')
      .sort((a, b) => a.start - b.start)
    const whole = spans.find(({ name }) => name === 'GET')!
    expect([outer!.parent, inner!.parent]).toEqual([whole.id, outer!.id])
    expect(answer.headers.get('X-Traceparent')).toBe(`00-${TRACE}-${inner!.id}-01`)
  })

  test('have those of OpenTelemetry for Flask within them', async () => {
    const python = pythonWithTraces()
    const receiver = await OtlpReceiver.forTest()
    writeFileSync(join(project.path, 'shop.py'), TRACED_FLASK)
    const server = await start('./host.js', [], {
      SHOP_PYTHON: python,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    })
    const response = await ask(server, '/traced/items/7')
    expect(response.status).toBe(200)
    await vi.waitFor(() => expect(decodedSpans(python, receiver)).toHaveLength(2), 30_000)
    const spans = decodedSpans(python, receiver)
    const flask = spans.find(({ name }) => name.includes('/items/<int:number>'))!
    const made = await spansIn(server, flask.trace, 3)
    const application = made.find(({ name }) => name === 'application')!
    expect(flask.parent).toBe(application.id)
    expect(spans.find(({ name }) => name === 'look up')).toMatchObject({
      trace: flask.trace,
      parent: flask.id,
    })
  }, 400_000)
})
