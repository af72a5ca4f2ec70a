import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { askHttps } from '../support/https-client.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'
import { residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'
import { decodedSpans, pythonWithTraces, TRACED_FLASK } from '../support/traces-in-python.ts'
import { waitFor } from '../support/wait-for.ts'

// Spans as OpenTelemetry's own messages decode them, and traces that its instrumentation of Flask
// continues.

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

/**
 * The same of JSON, by the reader of protobuf's own JSON: what it does not know is an error. Only
 * the ids are different: OTLP has them in hexadecimal.
 */
const JSON_DECODER = `
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

def with_ids(value):
    if isinstance(value, list):
        return [with_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(each)).decode()
        if name in ("traceId", "spanId", "parentSpanId") else with_ids(each)
        for name, each in value.items()
    }

spans = []
for line in sys.stdin:
    request = ExportTraceServiceRequest()
    json_format.ParseDict(with_ids(json.loads(base64.b64decode(line))), request)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                spans.append({
                    "name": span.name, "trace": span.trace_id.hex(), "kind": span.kind,
                    "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                    "flags": span.flags, "status": span.status.code,
                    "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                    "attributes": {a.key: a.value.string_value or a.value.int_value
                                   for a in span.attributes},
                })
print(json.dumps(spans))
`

const TELLS = `
def app(environ, start_response):
    start_response("200 OK", [("X-Traceparent", environ["HTTP_TRACEPARENT"])])
    return [b""]
`

test.runIf(hasPython())('a collector that hangs keeps neither requests nor the stop', async () => {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  writeFileSync(join(path, 'shop.py'), TELLS)
  const hanging = await OtlpReceiver.forTest()
  hanging.answer = 'nothing'
  const server = await startServer({
    app: 'shop:app',
    args: ['--otlp', hanging.url],
    env: { OTEL_BSP_SCHEDULE_DELAY: '10' },
    cwd: path,
    secure: false,
  })
  await fetch(server.url)
  await waitFor('a request of the exporter', () => hanging.requests.length === 1)
  expect((await fetch(server.url)).status).toBe(200)
  const stopping = performance.now()
  const { code } = await server.stop()
  expect(performance.now() - stopping).toBeLessThan(10_000)
  expect(code).toBe(0)
  expect(server.log()).toMatch(/\[WARNING\] \d+ spans were not sent to http:\S+\/v1\/traces: /)
})

test.runIf(hasPython()).each([
  { with: 'the embedded Python', args: ['--runtime', 'pyodide'], secure: false },
  { with: 'gevent', args: ['-k', 'gevent'], secure: false },
  { with: 'preload', args: ['--preload'], secure: false },
  { with: 'HTTP/1 over TLS', args: [], secure: true },
])('a trace goes through the server with $with', async ({ args, secure }) => {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  writeFileSync(join(path, 'shop.py'), TELLS)
  const collector = await OtlpReceiver.forTest()
  const server = await startServer({
    app: 'shop:app',
    args: ['--otlp', collector.url, ...args],
    env: { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
    cwd: path,
    secure,
  })
  const headers = { traceparent: `00-${TRACE}-${SPAN}-01` }
  const answer = secure
    ? (await askHttps(Number(new URL(server.url).port), '/', { headers })).headers['x-traceparent']
    : (await fetch(server.url, { headers })).headers.get('X-Traceparent')
  await waitFor('the spans', () => collector.spans.length >= 4)
  const spans = new Map(collector.spans.map((span) => [span.name, span]))
  expect([...spans.keys()].sort()).toEqual(['GET', 'application', 'queue', 'send'])
  expect(spans.get('GET')).toMatchObject({ traceId: TRACE, parentSpanId: SPAN })
  const application = spans.get('application')!
  expect(application.parentSpanId).toBe(spans.get('GET')!.spanId)
  expect(answer).toBe(`00-${TRACE}-${application.spanId}-01`)
  expect(JSON.stringify(spans.get('GET'))).toContain(secure ? '"https"' : '"http"')
})

describe.runIf(hasPython())('with OpenTelemetry for Python', () => {
  let python: string

  beforeAll(() => {
    python = pythonWithTraces()
  }, 300_000)

  const decoded = (receiver: OtlpReceiver, decoder?: string) =>
    decodedSpans(python, receiver, decoder)

  test('one trace goes from the proxy through the server into Flask, span in span', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(join(path, 'shop.py'), TRACED_FLASK)
    const receiver = await OtlpReceiver.forTest()
    const server = await startServer({
      app: 'shop:app',
      args: ['--otlp', 'env', '--python', python],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_BSP_SCHEDULE_DELAY: '50',
        OTEL_SERVICE_NAME: 'shop',
        OTEL_RESOURCE_ATTRIBUTES: `deployment.environment=test,long=${'x'.repeat(300)}`,
      },
      cwd: path,
      secure: false,
    })
    const response = await fetch(`${server.url}/items/7?q=1`, {
      method: 'POST',
      body: 'hello',
      headers: {
        traceparent: `00-${TRACE}-${SPAN}-01`,
        tracestate: 'vendor=1',
        'user-agent': 'a'.repeat(400),
      },
    })
    expect(await response.text()).toBe('5')
    await waitFor('the spans of both', () => decoded(receiver).length >= 6, 30_000)
    const spans = decoded(receiver)
    expect(spans.every(({ trace, service }) => trace === TRACE && service === 'shop')).toBe(true)
    expect(spans.filter(({ scope }) => scope === 'monoceros').every(({ same }) => same)).toBe(true)
    const named = (name: string) => spans.find((span) => span.name === name)!
    const whole = named('POST')
    const application = named('application')
    const flask = spans.find(({ name }) => name.includes('/items/<int:number>'))!
    const inside = named('look up')
    expect(whole).toMatchObject({ parent: SPAN, kind: 2, state: 'vendor=1', flags: 0x301 })
    expect(whole.attributes).toMatchObject({
      'http.request.method': 'POST',
      'url.path': '/items/7',
      'url.scheme': 'http',
      'http.response.status_code': 200,
      'http.response.body.size': 1,
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
      'user_agent.original': 'a'.repeat(256),
    })
    for (const name of ['queue', 'application', 'send'])
      expect(named(name)).toMatchObject({ parent: whole.id, kind: 1, flags: 0x101 })
    expect(flask).toMatchObject({ parent: application.id, kind: 2, state: 'vendor=1' })
    expect(inside.parent).toBe(flask.id)
    // The times are those of two processes.
    const slack = 5e6
    expect(flask.start).toBeGreaterThanOrEqual(application.start - slack)
    expect(whole.end).toBeGreaterThanOrEqual(whole.start + 10e6)
  })

  test('JSON is what protobuf reads as the same messages', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(join(path, 'shop.py'), TELLS)
    const receiver = await OtlpReceiver.forTest()
    const server = await startServer({
      app: 'shop:app',
      args: ['--otlp', 'env'],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_BSP_SCHEDULE_DELAY: '50',
      },
      cwd: path,
      secure: false,
    })
    const headers = { traceparent: `00-${TRACE}-${SPAN}-01` }
    await (await fetch(`${server.url}/items`, { headers })).text()
    await waitFor('its spans', () => decoded(receiver, JSON_DECODER).length >= 4, 30_000)
    const spans = decoded(receiver, JSON_DECODER)
    expect(spans.map(({ name }) => name).sort()).toEqual(['GET', 'application', 'queue', 'send'])
    expect(spans.every(({ trace }) => trace === TRACE)).toBe(true)
    const whole = spans.find(({ name }) => name === 'GET')!
    expect(whole).toMatchObject({ parent: SPAN, kind: 2, flags: 0x301, status: 0 })
    expect(whole.attributes).toMatchObject({
      'url.path': '/items',
      'http.response.status_code': 200,
    })
    expect(whole.end).toBeGreaterThan(whole.start)
  })

  test('memory stays bounded with an unreachable collector, and the log has what is lost', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(
      join(path, 'shop.py'),
      'def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b""]\n',
    )
    const server = await startServer({
      app: 'shop:app',
      args: ['--otlp', 'http://127.0.0.1:1'],
      env: { OTEL_BSP_SCHEDULE_DELAY: '20' },
      cwd: path,
      secure: false,
    })
    const target = `${server.url}/${'p'.repeat(3000)}`
    const agent = 'u'.repeat(6000)
    const flood = async (requests: number) => {
      for (let i = 0; i < requests; i += 20)
        await Promise.all(
          Array.from({ length: 20 }, async () =>
            (await fetch(target, { headers: { 'user-agent': agent } })).arrayBuffer(),
          ),
        )
    }
    await flood(2000)
    const [acceptor] = [...server.log().matchAll(/Acceptor (\d+)/g)].map(([, pid]) => Number(pid))
    const before = residentMemory(acceptor!)
    await flood(2000)
    expect(residentMemory(acceptor!) - before).toBeLessThan(24 * 1024 * 1024)
    await server.waitForLog(
      /Spans cannot be sent to http:\/\/127\.0\.0\.1:1\/v1\/traces: .*ECONNREFUSED/,
    )
    expect((await server.stop()).code).toBe(0)
    expect(server.log()).toMatch(
      /\d{3,} spans were not sent to http:\/\/127\.0\.0\.1:1\/v1\/traces: /,
    )
  })
})
