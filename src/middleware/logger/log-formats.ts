import type { WSGIEnvironment } from '../../wsgi/types.ts'
import type { FinishedResponse } from '../watched-response.ts'

/** What there is to log of a request and its response. Strings that the client sent are latin-1 views of its bytes, not escaped: see {@link escapeLogText}. */
export interface LogRecord extends FinishedResponse {
  /** When the request came, in milliseconds since 1970. */
  readonly startedAt: number
  /** From there until the response was over, in seconds. */
  readonly seconds: number
  readonly remoteAddress: string
  /** `REMOTE_USER`, or the user name of HTTP Basic authentication, which nobody need have checked; `''` for none. */
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

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * The formats that have a name.
 *
 * `common` is Apache's Common Log Format; `combined` has the referring page and the user agent too, then the seconds that it took, and `aborted` or `failed` where the
 * response did not come to its end; `dev` is short, for a terminal.
 */
export const logFormats = {
  common,
  combined: (record) =>
    `${common(record)} "${escapeLogText(record.referer)}" "${escapeLogText(record.userAgent)}" ${record.seconds.toFixed(6)}${ending(record)}`,
  dev: (record) =>
    `${escapeLogText(record.method)} ${escapeWord(record.target)} ${record.status} ${(record.seconds * 1000).toFixed(1)} ms ${record.bytes} B${ending(record)}`,
} as const satisfies Record<string, LogFormat>

function common(record: LogRecord): string {
  const request = escapeLogText(`${record.method} ${record.target} ${record.protocol}`)
  return `${escapeWord(record.remoteAddress)} - ${escapeWord(record.user)} ${logTime(record.startedAt)} "${request}" ${record.status} ${record.bytes === 0 ? '-' : record.bytes}`
}

function ending(record: LogRecord): string {
  return record.outcome === 'complete' ? '' : ` ${record.outcome}`
}

const SPECIAL = /[^\x20-\x7e]|["\\]/
const PLAIN_WORD = /^[\w.:@/?=&%-]+$/

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}

/**
 * What a client sent, harmless for a log, as Apache does it: `\"`, `\\`, `\n` and the like, `\xNN` for other bytes that are not printable ASCII.
 * Nothing at all is `-`.
 *
 * @example escapeLogText('a"\n\u00e9') // 'a\\"\\n\\xe9'
 */
export function escapeLogText(text: string): string {
  if (text === '') return '-'
  return SPECIAL.test(text) ? text.replace(/[^\x20-\x7e]|["\\]/gu, escapeCharacter) : text
}

/** The same for what stands without quotes, where a space would shift the columns. */
function escapeWord(text: string): string {
  return PLAIN_WORD.test(text) ? text : escapeLogText(text).replaceAll(' ', '\\x20')
}

function escapeCharacter(character: string): string {
  const short = shortEscapes[character]
  if (short !== undefined) return short
  const code = character.charCodeAt(0)
  const bytes = code < 0x100 ? [code] : [...new TextEncoder().encode(character)]
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Apache's `[23/Nov/2026:00:08:11 +0000]`, in local time. The last one is kept, since making it costs more than the rest of a line. */
const logTime = (() => {
  let second = Number.NaN
  let text = ''
  return (milliseconds: number): string => {
    const now = Math.floor(milliseconds / 1000)
    if (now !== second) {
      second = now
      text = formatTime(new Date(milliseconds))
    }
    return text
  }
})()

function formatTime(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  const offset = `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `[${two(date.getDate())}/${months[date.getMonth()]}/${date.getFullYear()}:${time} ${offset}]`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
