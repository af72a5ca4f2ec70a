import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect as connectH2 } from 'node:http2'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { http2Answer } from '../support/http2-client.ts'
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Traces: whose are continued, what the application, the logs and a collector get of them.
// tests/release/traces.test.ts has OpenTelemetry's own decoder and instrumentation.

const APPLICATION = `
import json, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("no")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(0.2)
    if environ["PATH_INFO"] == "/slower":
        time.sleep(1)
    told = {key: value for key, value in environ.items() if "TRACE" in key}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
`
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const ATTACKER = '127.0.0.2'

let folder: { path: string; remove: () => void }
let collector: OtlpReceiver

beforeAll(async () => {
  folder = temporaryDirectory()
  writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
  collector = await OtlpReceiver.open()
})

afterAll(() => {
  collector.close()
  folder.remove()
})

interface Answer {
  readonly status: number
  readonly timing: string | undefined
  readonly told: Record<string, string>
}

function ask(
  server: RunningServer,
  path: string,
  headers: Record<string, string | string[]> = {},
  from = '127.0.0.1',
): Promise<Answer> {
  const { port } = new URL(server.url)
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers, agent: false, localAddress: from }
    const sent = request(options, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => {
        const timing = response.headers['server-timing'] as string | undefined
        const told = text.startsWith('{') ? JSON.parse(text) : {}
        resolve({ status: response.statusCode ?? 0, timing, told })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

function spansOf(traceId: string): Map<string, ReceivedSpan> {
  const spans = collector.spans.filter((span) => span.traceId === traceId)
  return new Map(spans.map((span) => [span.name, span]))
}

function traceOf({ told }: Answer): string {
  return told.HTTP_TRACEPARENT!.split('-')[1]!
}

const startOf = ({ startTimeUnixNano }: ReceivedSpan) => BigInt(startTimeUnixNano)
const seconds = ({ startTimeUnixNano, endTimeUnixNano }: ReceivedSpan) =>
  Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e9

describe.runIf(hasPython())('a Python application whose spans go to a collector', () => {
  let server: RunningServer

  beforeAll(async () => {
    server = await startServer({
      app: 'shop:app',
      args: [
        ...['--otlp', collector.url, '--server-timing'],
        ...['--access-logfile', '-', '--access-logformat', 'json'],
      ],
      env: {
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b',
        OTEL_BSP_SCHEDULE_DELAY: '100',
        OTEL_SERVICE_NAME: 'the-shop',
      },
      cwd: folder.path,
      secure: false,
    })
  })

  test('the trace of a trusted peer goes on, through queue, application and sending', async () => {
    const headers = { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: ['a=1', 'b=2'] }
    const answer = await ask(server, '/slow?secret=1', headers)
    await waitFor('the spans', () => spansOf(TRACE).size === 4)
    const spans = spansOf(TRACE)
    const whole = spans.get('GET')!
    expect(whole).toMatchObject({ parentSpanId: SPAN, kind: 2, traceState: 'a=1,b=2' })
    const application = spans.get('application')!
    for (const name of ['queue', 'application', 'send'])
      expect(spans.get(name)).toMatchObject({ parentSpanId: whole.spanId, kind: 1 })
    expect(answer.told).toEqual({
      HTTP_TRACEPARENT: `00-${TRACE}-${application.spanId}-01`,
      HTTP_TRACESTATE: 'a=1,b=2',
    })
    expect(seconds(application)).toBeGreaterThan(0.19)
    expect(seconds(whole)).toBeGreaterThanOrEqual(seconds(application))
    expect(JSON.stringify(whole)).not.toContain('secret')
    const attributes = Object.fromEntries(whole.attributes.map(({ key, value }) => [key, value]))
    expect(attributes['url.path']).toEqual({ stringValue: '/slow' })
    expect(attributes['http.response.status_code']).toEqual({ intValue: '200' })
    expect(answer.timing).toMatch(
      new RegExp(
        `^queue;dur=[\\d.]+, app;dur=(?:[2-9]\\d\\d|\\d{4,})\\.\\d\\d, ` +
          `traceparent;desc="00-${TRACE}-${whole.spanId}-01"$`,
      ),
    )
    await server.waitForLog(new RegExp(`"trace_id":"${TRACE}","span_id":"${whole.spanId}"`))
    expect(collector.requests[0]).toMatchObject({ path: '/v1/traces', headers: { 'x-key': 'a b' } })
    expect(collector.requests[0]!.body.toString()).toContain('{"stringValue":"the-shop"}')
  })

  test('what waits for the worker is in the queue, and not in the application', async () => {
    // On a busy machine, the second may come some time after the first, or even after its end.
    const traces = await waitFor('one to wait for the other', async () => {
      const answers = await Promise.all([ask(server, '/slower'), ask(server, '/slower')])
      const both = answers.map(traceOf)
      await waitFor('the spans', () => both.every((trace) => spansOf(trace).size === 4))
      const waits = both.map((trace) => seconds(spansOf(trace).get('queue')!))
      return Math.max(...waits) > 0.15 && both
    })
    // The application has one thread: its time with the one ends before that with the other begins.
    const [first, second] = traces
      .map((trace) => spansOf(trace).get('application')!)
      .sort((one, other) => Number(startOf(one) - startOf(other)))
    const between = Number(startOf(second!) - BigInt(first!.endTimeUnixNano)) / 1e9
    expect(between).toBeGreaterThan(-0.01)
  })

  test('a stranger begins a trace, and is told nothing', async () => {
    const headers = { traceparent: `00-${TRACE}-${SPAN}-00`, tracestate: 'evil=1' }
    const answer = await ask(server, '/', headers, ATTACKER)
    expect(traceOf(answer)).not.toBe(TRACE)
    expect(answer.told).toEqual({ HTTP_TRACEPARENT: expect.stringMatching(/-01$/) })
    expect(answer.timing).toBeUndefined()
    await waitFor('its spans', () => spansOf(traceOf(answer)).size === 4)
    expect(spansOf(traceOf(answer)).get('GET')!.parentSpanId).toBeUndefined()
  })

  test.each([
    ['malformed', ['nonsense']],
    ['given twice', [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`]],
    ['of zeros', [`00-${'0'.repeat(32)}-${SPAN}-01`]],
    ['huge', [`01-${TRACE}-${SPAN}-01-${'x'.repeat(7000)}`]],
  ])('a trusted peer whose traceparent is %s begins a trace', async (_, traceparent) => {
    const answer = await ask(server, '/', { traceparent, tracestate: 'a=1' })
    expect(answer.status).toBe(200)
    expect(traceOf(answer)).not.toBe(TRACE)
    expect(answer.told.HTTP_TRACESTATE).toBeUndefined()
  })

  test('what the sender does not record is not recorded here', async () => {
    const unrecorded = 'a'.repeat(32)
    const { told } = await ask(server, '/', { traceparent: `00-${unrecorded}-${SPAN}-00` })
    expect(told.HTTP_TRACEPARENT).toMatch(new RegExp(`^00-${unrecorded}-[0-9a-f]{16}-00$`))
    const later = traceOf(await ask(server, '/'))
    await waitFor('later spans', () => spansOf(later).size === 4)
    expect(spansOf(unrecorded).size).toBe(0)
  })

  test('an error has its trace in the log, and its span has failed', async () => {
    const trace = 'b'.repeat(32)
    await ask(server, '/raise', { traceparent: `00-${trace}-${SPAN}-01` })
    await server.waitForLog(
      new RegExp(
        `Error handling request "GET /raise HTTP/1.1" ` +
          `\\(trace ${trace}, span [0-9a-f]{16}\\) \\[MONO4001\\]\\nTraceback`,
      ),
    )
    await waitFor('the spans', () => spansOf(trace).size >= 3)
    expect(spansOf(trace).get('GET')).toMatchObject({ status: { code: 2 } })
  })
})

test('an application in TypeScript gets it over HTTP/2 and TLS', async () => {
  const server = await startServer({
    app: 'app.ts',
    args: ['--trace-context', '--trace-sample', '0', '--access-logfile', '-'].concat(
      '--access-logformat',
      '%(m)s %(trace_id)s %(span_id)s',
    ),
    cwd: join(appsDirectory, 'environ'),
    secure: true,
  })
  const session = connectH2(server.url, { rejectUnauthorized: false })
  onTestFinished(() => session.destroy())
  const environOf = async (headers: Record<string, string>) => {
    const { body } = await http2Answer(session.request({ ':path': '/', ...headers }))
    return JSON.parse(body.toString()) as Record<string, string>
  }
  const own = await environOf({})
  expect(own.SERVER_PROTOCOL).toBe('HTTP/2.0')
  expect(own.HTTP_TRACEPARENT).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  const continued = await environOf({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1' })
  expect(continued.HTTP_TRACEPARENT).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
  expect(continued.HTTP_TRACESTATE).toBe('a=1')
  const span = continued.HTTP_TRACEPARENT!.split('-')[2]
  await server.waitForLog(new RegExp(`GET ${TRACE} ${span}`))
})
