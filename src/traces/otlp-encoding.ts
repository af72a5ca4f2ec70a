import type { Attribute, Span } from './span.ts'

/** A form of OTLP. A span is encoded at once, so that what waits has a known size. */
export interface OtlpEncoding {
  readonly contentType: string
  /** A span as a part of a request. */
  span(span: Span): Buffer
  /** The body of a request with these spans. */
  request(spans: readonly Buffer[]): Buffer
  /** How many spans the collector has refused of a request that it has accepted. */
  rejected(response: Buffer): number
}

/** What all requests have in common. */
export interface OtlpSource {
  readonly resource: readonly Attribute[]
  /** The instrumentation scope. */
  readonly name: string
  readonly version: string
}
