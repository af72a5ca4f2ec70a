import type { RequestTimes } from '../observe/request-times.ts'
import type { RequestTrace } from '../observe/request-trace.ts'
import type { FieldName } from './field-names.ts'
import type { Peer } from './peer.ts'

/**
 * The four forms of a request target (RFC 9110 §7.1, RFC 9112 §3.2). A request of HTTP/2 has the
 * origin form, unless it is a CONNECT or `OPTIONS *`.
 */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk'

/**
 * The head of one request, in any version of HTTP: what the handler is called with.
 *
 * Its parts are offsets into `bytes`, because that is what makes it fast: nothing is copied or
 * decoded before somebody asks for it. An end is one past the last byte; a part that is missing is
 * empty. A version that compresses heads decodes them into `bytes` first.
 *
 * @example
 * ```ts
 * const handler: RequestHandler = (head, reply) => {
 *   if (head.method === 'GET' && head.get('accept') === 'text/html') …
 * }
 * ```
 */
export interface RequestHead {
  /**
   * What the offsets refer to. Nobody writes to it again, so it is valid as long as the head is
   * referenced.
   */
  readonly bytes: Buffer
  /** The version that the client spoke, as `SERVER_PROTOCOL` and logs have it: `HTTP/1.1`. */
  readonly protocol: string
  /** The method, case-sensitive. */
  readonly method: string
  readonly targetForm: TargetForm
  /** The whole target, as it was sent. */
  readonly targetStart: number
  readonly targetEnd: number
  /**
   * The path, not decoded. Empty in authority-form and if an absolute-form target has no path; `*`
   * in asterisk-form.
   */
  readonly pathStart: number
  readonly pathEnd: number
  /** What follows the first question mark. */
  readonly queryStart: number
  readonly queryEnd: number
  /** Whether there was a question mark, even with nothing after it. */
  readonly hasQuery: boolean
  /**
   * The request itself names its authority, which then takes the place of a Host field: an
   * absolute-form target (RFC 9112 §3.2.2), or `:authority` (RFC 9113 §8.3.1).
   */
  readonly hasAuthority: boolean
  /** `host[:port]` from the target, or empty. */
  readonly authorityStart: number
  readonly authorityEnd: number
  /** How many fields there are. Those that `headerMap` dropped are not among them. */
  readonly fieldCount: number
  /**
   * Four offsets a field, in the order of arrival: name start, name end, value start, value end.
   * Values have no white space around them.
   */
  readonly fields: readonly number[]
  /** The name of each field. */
  readonly names: readonly FieldName[]
  /** The index of the Host field, or -1. */
  readonly host: number
  /**
   * The client used HTTPS: this connection is encrypted, or a trusted proxy says that the client's
   * is (`edge/trust/`, which sets it).
   */
  secure: boolean
  /**
   * The client, if the request has fields of proxies that were read or removed (`edge/trust/`,
   * which sets it). It belongs to this request alone. Its address is `''` if the proxies hide it.
   * Null if the peer of the connection is the client: {@link clientOf} gives either.
   */
  client: Peer | null
  /**
   * Where a trusted proxy says that the application is mounted: what `SCRIPT_NAME` is for this
   * request, `''` or a path such as `/shop`. Null if no proxy says it.
   */
  scriptName: string | null
  /** Its place in a trace (`edge/tracing/`, which sets it); null without traces. */
  trace: RequestTrace | null
  /**
   * When its parts began (`edge/measure/` or `edge/observation/`, which sets it); null if nobody
   * measures.
   */
  times: RequestTimes | null
  /** A body follows. Its length is known if `contentLength` is not -1. */
  readonly hasBody: boolean
  /** The declared length of the body in bytes, or -1. */
  readonly contentLength: number
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectContinue: boolean
  /**
   * The target as it was sent, each byte as one character (latin-1): visible ASCII, and bytes from
   * 0x80 on.
   */
  readonly target: string
  /**
   * Method, target and protocol with spaces between them, which access logs have for every version
   * (`%r` of the Common Log Format). Each byte is one character (latin-1): visible ASCII, spaces,
   * and bytes from 0x80 on, which logs have to escape. Empty if the engine has not read all of it.
   */
  requestLine(): string
  /** The value of field `index`, each byte as one character (latin-1). */
  value(index: number): string
  /**
   * The value of the field named `lowerName` (in lower case). The values of several are joined with
   * `, ` in their order (RFC 9110 §5.3). `undefined` if there is none.
   */
  get(lowerName: string): string | undefined
}

/**
 * Who has sent a request: the client that trusted proxies tell of, or else the peer of the
 * connection. Logs, limits by address and applications ask for this one.
 */
export function clientOf(head: RequestHead, reply: { readonly peer: Peer }): Peer {
  return head.client ?? reply.peer
}
