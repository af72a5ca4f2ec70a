/** A name and its value. Whole numbers only. */
export type Attribute = readonly [key: string, value: string | number]

/** OpenTelemetry's kinds of span, by their numbers in OTLP. */
export const INTERNAL = 1
export const SERVER = 2

/** One part of a request, as it is exported. */
export interface Span {
  /** Hexadecimal, in lower case: 32 digits, and 16. */
  readonly traceId: string
  readonly spanId: string
  /** `''` for the first one of a trace. */
  readonly parentId: string
  /** `tracestate`; `''` for none. */
  readonly state: string
  readonly name: string
  readonly kind: typeof INTERNAL | typeof SERVER
  /** Microseconds since 1970. */
  readonly start: number
  readonly end: number
  readonly attributes: readonly Attribute[]
  /** The server has failed. */
  readonly failed: boolean
  /** Its parent is in another process. */
  readonly remoteParent: boolean
}
