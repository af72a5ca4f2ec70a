import { compileAccessFormat } from '../../logging/access-format.ts'
import { escapeLogText, escapeLogWord } from '../../logging/escaped-text.ts'
import type { AccessRecord } from '../../observe/access-record.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import type { FinishedResponse } from '../watched-response.ts'

export { escapeLogText } from '../../logging/escaped-text.ts'

/**
 * A request and its response, see {@link AccessRecord}. Strings that the client sent are latin-1
 * views of its bytes, not escaped: see {@link escapeLogText}.
 */
export interface LogRecord extends AccessRecord, FinishedResponse {
  readonly status: number
  readonly bytes: number
  /**
   * `REMOTE_USER`, or the user name of HTTP Basic authentication, which nobody need have checked;
   * `''` for none.
   */
  readonly user: string
  readonly referer: string
  readonly userAgent: string
  /** The request's variables, as the application left them. */
  readonly environ: WSGIEnvironment
}

/** Makes a line, without its end; `undefined` for no line. */
export type LogFormat = (record: LogRecord) => string | undefined

/** Apache's Common Log Format. */
const common = compileAccessFormat('%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s')

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

function ending(record: LogRecord): string {
  return record.outcome === 'complete' ? '' : ` ${record.outcome}`
}
