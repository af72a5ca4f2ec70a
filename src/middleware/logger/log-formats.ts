import { compileAccessFormat } from '../../logging/access-format.ts'
import { escapeLogText, escapeLogWord } from '../../logging/escaped-text.ts'
import type { AccessRecord } from '../../observe/access-record.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import type { FinishedResponse } from '../watched-response.ts'

export { escapeLogText } from '../../logging/escaped-text.ts'

/**
 * The facts of a request and its response for a log; {@link AccessRecord} has the common part.
 * Strings that the client sent are latin-1 views of its bytes. They are not escaped: use {@link
 * escapeLogText}.
 */
export interface LogRecord extends AccessRecord, FinishedResponse {
  readonly status: number
  readonly bytes: number
  /**
   * `REMOTE_USER`, or the user name of HTTP Basic authentication, whose password may be wrong; `''`
   * if there is none.
   */
  readonly user: string
  readonly referer: string
  readonly userAgent: string
  /** The environ of the request, as the application left it. */
  readonly environ: WSGIEnvironment
}

/** Makes a line without a line feed, or returns `undefined` to log nothing. */
export type LogFormat = (record: LogRecord) => string | undefined

/** Apache's Common Log Format. */
const common = compileAccessFormat('%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s')

/**
 * The named formats:
 *
 * - `common`: Apache's Common Log Format;
 * - `combined`: `common` with the referring page, the user agent, the time in seconds, and
 *   `aborted` or `failed` for a response that is not complete;
 * - `dev`: short, for a terminal.
 */
export const LOG_FORMATS = {
  common,
  combined: (record) =>
    `${common(record)} "${escapeLogText(record.referer)}" "${escapeLogText(record.userAgent)}" ` +
    `${record.seconds.toFixed(6)}${ending(record)}`,
  dev: (record) =>
    `${escapeLogText(record.method)} ${escapeLogWord(record.target)} ${record.status} ` +
    `${(record.seconds * 1000).toFixed(1)} ms ${record.bytes} B${ending(record)}`,
} as const satisfies Record<string, LogFormat>

function ending(record: LogRecord): string {
  return record.outcome === 'complete' ? '' : ` ${record.outcome}`
}
