import { escapeLogText, escapeLogWord } from '../../logging/escaped-text.ts'
import { accessLogClock } from '../../logging/log-time.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import type { FinishedResponse } from '../watched-response.ts'

export { escapeLogText } from '../../logging/escaped-text.ts'

/**
 * What there is to log of a request and its response. Strings that the client sent are latin-1
 * views of its bytes, not escaped: see {@link escapeLogText}.
 */
export interface LogRecord extends FinishedResponse {
  /** When the request came, in milliseconds since 1970. */
  readonly startedAt: number
  /** From there until the response was over, in seconds. */
  readonly seconds: number
  readonly remoteAddress: string
  /**
   * `REMOTE_USER`, or the user name of HTTP Basic authentication, which nobody need have checked;
   * `''` for none.
   */
  readonly user: string
  readonly method: string
  /** The request's target as it was sent: `/cart?item=3`. */
  readonly target: string
  /** `HTTP/1.1` */
  readonly protocol: string
  readonly referer: string
  readonly userAgent: string
  /** The request's variables, as the application left them. */
  readonly environ: WSGIEnvironment
}

/** Makes a line, without its end; `undefined` for no line. */
export type LogFormat = (record: LogRecord) => string | undefined

/**
 * The formats that have a name.
 *
 * `common` is Apache's Common Log Format; `combined` has the referring page and the user agent too,
 * then the seconds that it took, and `aborted` or `failed` where the response did not come to its
 * end; `dev` is short, for a terminal.
 */
export const logFormats = {
  common,
  combined: (record) =>
    `${common(record)} "${escapeLogText(record.referer)}" "${escapeLogText(record.userAgent)}" ${record.seconds.toFixed(6)}${ending(record)}`,
  dev: (record) =>
    `${escapeLogText(record.method)} ${escapeLogWord(record.target)} ${record.status} ${(record.seconds * 1000).toFixed(1)} ms ${record.bytes} B${ending(record)}`,
} as const satisfies Record<string, LogFormat>

function common(record: LogRecord): string {
  const request = escapeLogText(`${record.method} ${record.target} ${record.protocol}`)
  return `${escapeLogWord(record.remoteAddress)} - ${escapeLogWord(record.user)} ${logTime(record.startedAt)} "${request}" ${record.status} ${record.bytes === 0 ? '-' : record.bytes}`
}

function ending(record: LogRecord): string {
  return record.outcome === 'complete' ? '' : ` ${record.outcome}`
}

const logTime = accessLogClock()
