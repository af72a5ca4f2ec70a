import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { repository } from './build.ts'
import type { OtlpReceiver } from './otlp-receiver.ts'
import { testPython } from './python.ts'
import { ensureVirtualEnvironment } from './virtual-environment.ts'

// OpenTelemetry for Python: it decodes spans, and makes those of an application.

/** Decodes requests, one a line in base64, and prints their spans. */
const DECODER = `
import base64, json, sys
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
spans = []
for line in sys.stdin:
    request = ExportTraceServiceRequest()
    body = base64.b64decode(line)
    request.ParseFromString(body)
    for resource in request.resource_spans:
        about = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                spans.append({
                    "service": about["service.name"], "scope": scope.scope.name,
                    "name": span.name, "kind": span.kind, "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                    "state": span.trace_state, "status": span.status.code, "flags": span.flags,
                    "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                    "attributes": {a.key: a.value.string_value or a.value.int_value
                                   for a in span.attributes},
                    # What it writes itself: nothing was unknown, or written in another way.
                    "same": request.SerializeToString() == body,
                })
print(json.dumps(spans))
`

/** An application whose spans are sent as the environment says. */
export const TRACED_FLASK = `
import time
from flask import Flask, request
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))

app = Flask(__name__)
FlaskInstrumentor().instrument_app(app)

@app.route("/items/<int:number>", methods=["GET", "POST"])
def item(number):
    with trace.get_tracer("shop").start_as_current_span("look up"):
        time.sleep(0.01)
    return str(len(request.get_data()))
`

/** A span as OTLP's own messages have it. */
export interface DecodedSpan {
  readonly service: string
  readonly scope: string
  readonly name: string
  readonly kind: number
  readonly trace: string
  readonly id: string
  readonly parent: string
  readonly state: string
  readonly status: number
  readonly flags: number
  readonly start: number
  readonly end: number
  readonly attributes: Record<string, string | number>
  readonly same: boolean
}

/** The Python that has the packages. It takes a while the first time. @returns its path */
export function pythonWithTraces(): string {
  const environment = join(repository, 'tests', '.cache', 'traces')
  mkdirSync(environment, { recursive: true })
  const requirements = join(repository, 'tests', 'requirements-traces.txt')
  ensureVirtualEnvironment(testPython(), environment, requirements)
  return join(environment, 'bin', 'python3')
}

/**
 * The spans of all requests so far.
 *
 * @param python see {@link pythonWithTraces}
 */
export function decodedSpans(
  python: string,
  { requests }: OtlpReceiver,
  decoder: string = DECODER,
): DecodedSpan[] {
  const bodies = requests.map(({ body, headers }) =>
    headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
  )
  const input = bodies.map((body) => body.toString('base64')).join('\n')
  return JSON.parse(execFileSync(python, ['-c', decoder], { input, encoding: 'utf8' }))
}
