/**
 * One request and its response, for an access log. The server's own access log and the `logger`
 * middleware both make such records; {@link compileAccessFormat} and the named formats of the
 * middleware turn them into lines.
 *
 * Strings that the client sent are latin-1 views of its bytes, not escaped.
 */
export interface AccessRecord {
  /** The client's address; empty for a Unix socket. */
  readonly remoteAddress: string
  /**
   * The user name of HTTP Basic authentication, which the server does not check. If it is missing,
   * formats take it from the Authorization header.
   */
  readonly user?: string | undefined
  readonly method: string
  /** The request target as it was sent: `/cart?item=3`. */
  readonly target: string
  /** `HTTP/1.1` */
  readonly protocol: string
  /** The request line as it was sent, without its line end. */
  readonly requestLine: string
  readonly status: number
  /** Bytes of response body that were sent. */
  readonly bytes: number
  /** When the request began, in milliseconds since 1970. */
  readonly startedAt: number
  /** From then to the end of the response, in seconds. */
  readonly seconds: number
  /** Its place in a trace (W3C Trace Context), in hexadecimal digits; null without traces. */
  readonly trace?: { readonly traceId: string; readonly spanId: string } | null
  /** A request header by its name in lower case. */
  header(name: string): string | undefined
  /** A response header by its name in lower case. */
  responseHeader?(name: string): string | undefined
  /** A variable of the environ by its name in lower case. */
  variable?(name: string): string | undefined
}
