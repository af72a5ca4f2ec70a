import type { OtlpEncoding, OtlpSource } from './otlp-encoding.ts'
import type { Attribute, Span } from './span.ts'

/** The JSON form (OTLP "JSON Protobuf Encoding"): ids in hexadecimal, 64-bit numbers as texts. */
export function otlpJson({ resource, name, version }: OtlpSource): OtlpEncoding {
  const before =
    `{"resourceSpans":[{"resource":{"attributes":${attributesJson(resource)}},` +
    `"scopeSpans":[{"scope":${JSON.stringify({ name, version })},"spans":[`
  const after = ']}]}]}'
  return {
    contentType: 'application/json',
    span: (span) => Buffer.from(spanJson(span)),
    request: (spans) => {
      const parts: Buffer[] = [Buffer.from(before)]
      for (const span of spans) {
        if (parts.length > 1) parts.push(COMMA)
        parts.push(span)
      }
      parts.push(Buffer.from(after))
      return Buffer.concat(parts)
    },
    rejected: (response) => {
      try {
        const { partialSuccess } = JSON.parse(response.toString('utf8'))
        return Number(partialSuccess?.rejectedSpans ?? 0) || 0
      } catch {
        // A collector may answer anything to what it has taken.
        return 0
      }
    },
  }
}

const COMMA = Buffer.from(',')

function spanJson(span: Span): string {
  const { traceId, spanId, parentId, state, name, kind, start, end, attributes, failed } = span
  const optional =
    (parentId === '' ? '' : `"parentSpanId":"${parentId}",`) +
    (state === '' ? '' : `"traceState":${JSON.stringify(state)},`) +
    (failed ? '"status":{"code":2},' : '')
  return (
    `{"traceId":"${traceId}","spanId":"${spanId}",${optional}"flags":${flagsOf(span)},` +
    `"name":${JSON.stringify(name)},"kind":${kind},"startTimeUnixNano":"${start}000",` +
    `"endTimeUnixNano":"${end}000","attributes":${attributesJson(attributes)}}`
  )
}

/** The flags of `traceparent`, and whether the parent is remote (bits 8 and 9). */
export function flagsOf({ remoteParent }: Span): number {
  return 0x101 | (remoteParent ? 0x200 : 0)
}

function attributesJson(attributes: readonly Attribute[]): string {
  const members = attributes.map(([key, value]) => {
    const typed =
      typeof value === 'number'
        ? `{"intValue":"${value}"}`
        : `{"stringValue":${JSON.stringify(value)}}`
    return `{"key":${JSON.stringify(key)},"value":${typed}}`
  })
  return `[${members.join(',')}]`
}
