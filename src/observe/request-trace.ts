/**
 * The place of a request in a trace (W3C Trace Context). All ids are hexadecimal, in lower case.
 */
export interface RequestTrace {
  /** 32 digits, the same in all services. */
  readonly traceId: string
  /** 16 digits: this server's part of the trace. */
  readonly spanId: string
  /** The span of whoever has sent the request; `''` if the trace begins here. */
  readonly parentId: string
  /** 16 digits: what the application is told as its parent, in `HTTP_TRACEPARENT`. */
  readonly applicationId: string
  /** The trace is recorded. */
  readonly sampled: boolean
  /** What other systems have noted (`tracestate`); `''` for nothing. */
  readonly state: string
}
