import Negotiator from 'negotiator'
import { escapeHtml } from '../../semantics/html-text.ts'
import { failureText } from '../../wsgi/failure.ts'
import type { ResponseHeaders, WSGIEnvironment } from '../../wsgi/types.ts'
import { DEBUG_POLICY, debugPage } from './debug-page.ts'
import { failureFacts } from './failure-facts.ts'
import { maskedText } from './masked-environ.ts'
import { undecodedNotice } from './undecoded-notice.ts'

/** What a client is told about an error, without `debug`. */
export interface ErrorSummary {
  readonly status: number
  /** The reason phrase of the status: `Internal Server Error`. */
  readonly error: string
  /** The message of the error, if it may be shown (`expose: true`). */
  readonly message?: string
}

/** A complete response. */
export interface WholeAnswer {
  readonly status: string
  readonly headers: ResponseHeaders
  readonly body: Uint8Array
}

/** In order of preference, for clients without their own: a command line shows text. */
const TYPES = ['text/plain', 'text/html', 'application/json'] as const
type Type = (typeof TYPES)[number]

const encoder = new TextEncoder()

/**
 * The type that the client prefers (RFC 9110 §12.5.1), or plain text if it accepts none of them.
 */
export function preferredType(environ: WSGIEnvironment): Type {
  const accept = environ.HTTP_ACCEPT
  // A long header has many types, which take long to compare.
  if (typeof accept !== 'string' || accept.length > 4096) return 'text/plain'
  const type = new Negotiator({ headers: { accept } }).mediaType([...TYPES])
  return (type as Type | undefined) ?? 'text/plain'
}

/** The answer without details of the error. */
export function plainAnswer(
  summary: ErrorSummary,
  type: Type,
  json: (summary: ErrorSummary) => unknown = (given) => given,
): WholeAnswer {
  const { status, error, message } = summary
  let text: string
  if (type === 'application/json') {
    text = `${JSON.stringify(json(summary))}\n`
  } else if (type === 'text/html') {
    const title = escapeHtml(`${status} ${error}`)
    const told = message === undefined ? '' : `<p>${escapeHtml(message)}</p>\n`
    text =
      '<!DOCTYPE html>\n<html lang="en">\n' +
      `<head><meta charset="utf-8"><title>${title}</title></head>\n` +
      `<body>\n<h1>${title}</h1>\n${told}</body>\n</html>\n`
  } else {
    text = `${status} ${error}\n${message === undefined ? '' : `\n${message}\n`}`
  }
  return answer(summary, type, text, [])
}

/** A request, and what was thrown while it was handled. */
interface FailedRequest {
  readonly requestLine: string
  readonly error: unknown
  readonly environ: WSGIEnvironment
}

/** The answer with all details of the error. */
export function debugAnswer(
  summary: ErrorSummary,
  type: Type,
  { requestLine, error, environ }: FailedRequest,
): WholeAnswer {
  const request = maskedText(requestLine)
  const title = `${summary.status} ${summary.error}`
  if (type === 'text/html') {
    return answer(summary, type, debugPage(title, request, error, environ), [
      ['Content-Security-Policy', DEBUG_POLICY],
      ['Referrer-Policy', 'no-referrer'],
      ['X-Frame-Options', 'DENY'],
    ])
  }
  if (type === 'text/plain') {
    const hint = undecodedNotice(error, environ)
    const last = hint === '' ? '' : `\n${hint}\n`
    const text = `${title}\n${request}\n\n${failureText(error)}\n${last}`
    return answer(summary, type, text, [])
  }
  const hint = undecodedNotice(error, environ)
  const failures = failureFacts(error).map(
    ({ relation, name, message, code, traceback, stack }) => ({
      ...(relation === '' ? {} : { relation }),
      name,
      message,
      ...(code === '' ? {} : { code }),
      stack: (traceback ?? stack).split('\n'),
    }),
  )
  const all = { ...summary, request, failures, ...(hint === '' ? {} : { hint }) }
  return answer(summary, type, `${JSON.stringify(all, null, 2)}\n`, [])
}

function answer(
  summary: ErrorSummary,
  type: Type,
  text: string,
  further: ResponseHeaders,
): WholeAnswer {
  const body = encoder.encode(text)
  return {
    status: `${summary.status} ${summary.error}`,
    headers: [
      ['Content-Type', type === 'application/json' ? type : `${type}; charset=utf-8`],
      ['Content-Length', String(body.length)],
      // The error may not occur again.
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ...further,
    ],
    body,
  }
}
