import type { OtlpEncoding, OtlpSource } from './otlp-encoding.ts'
import { flagsOf } from './otlp-json.ts'
import { ProtobufWriter } from './protobuf-writer.ts'
import type { Attribute, Span } from './span.ts'

/**
 * The binary form: messages of `opentelemetry/proto/collector/trace/v1/trace_service.proto` and
 * `opentelemetry/proto/trace/v1/trace.proto`, whose numbers of fields are here.
 */
export function otlpProtobuf({ resource, name, version }: OtlpSource): OtlpEncoding {
  const writer = new ProtobufWriter()
  writer.message(1, () => writeAttributes(writer, 1, resource))
  const resourceField = writer.take()
  writer.message(1, () => {
    writer.text(1, name)
    writer.text(2, version)
  })
  const scopeField = writer.take()
  return {
    contentType: 'application/x-protobuf',
    span: (span) => {
      writer.message(2, () => writeSpan(writer, span))
      return writer.take()
    },
    request: (spans) => {
      const scopeSpans = spans.reduce((sum, { length }) => sum + length, scopeField.length)
      writer.messageOf(2, scopeSpans)
      const scopeSpansField = writer.take()
      writer.messageOf(1, resourceField.length + scopeSpansField.length + scopeSpans)
      return Buffer.concat([writer.take(), resourceField, scopeSpansField, scopeField, ...spans])
    },
    rejected: rejectedSpans,
  }
}

function writeSpan(writer: ProtobufWriter, span: Span): void {
  writer.hex(1, span.traceId)
  writer.hex(2, span.spanId)
  if (span.state !== '') writer.text(3, span.state)
  if (span.parentId !== '') writer.hex(4, span.parentId)
  writer.text(5, span.name)
  writer.number(6, span.kind)
  writer.nanoseconds(7, span.start)
  writer.nanoseconds(8, span.end)
  writeAttributes(writer, 9, span.attributes)
  if (span.failed) writer.message(15, () => writer.number(3, 2))
  writer.fixed32(16, flagsOf(span))
}

function writeAttributes(w: ProtobufWriter, field: number, attributes: readonly Attribute[]): void {
  for (const [key, value] of attributes) {
    w.message(field, () => {
      w.text(1, key)
      w.message(2, () => {
        if (typeof value === 'number') w.number(3, value)
        else w.text(1, value)
      })
    })
  }
}

/** `partial_success.rejected_spans` of the response, which is usually empty. */
function rejectedSpans(response: Buffer): number {
  // Field 1 is a message, of which field 1 is a number.
  if (response.length < 4 || response[0] !== 0x0a || response[2] !== 0x08) return 0
  let value = 0
  let factor = 1
  for (let at = 3; at < Math.min(response.length, 10); at++) {
    value += (response[at]! & 0x7f) * factor
    factor *= 0x80
    if (response[at]! < 0x80) return value
  }
  return 0
}
