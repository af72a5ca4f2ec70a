import type { Exchange, LogEntry, RunResult } from './protocol.ts'
import type { Check, Expected } from './steps/types.ts'

/** What came of a check. */
export interface Verdict {
  readonly passed: boolean
  /** What is missing, in one or a few lines: the hint, what differs, and the validator's words. */
  readonly missing: string
}

const PASSED: Verdict = { passed: true, missing: '' }

/** Looks at the last answer of a check's run. */
export function judge(check: Check, result: RunResult): Verdict {
  if (result.failure !== null) return failed(check, [lastLine(result.failure)])
  const exchange = result.exchanges.at(-1)
  if (exchange === undefined) return failed(check, ['there is no answer'])
  const said = complaints(result.exchanges.flatMap(({ log }) => log))
  const differing = differences(check.expect, exchange)
  // Only an answer that is expected to fail may have an error in its log.
  const wrong = mayFail(check.expect) ? [] : said
  if (differing.length === 0 && wrong.length === 0) return PASSED
  // The answer of a server whose application failed: all that differs comes from that.
  const { response } = exchange
  const crashed = said.length > 0 && response?.status.startsWith('500') === true
  if (!crashed || mayFail(check.expect)) return failed(check, [...differing, ...said])
  const { status } = check.expect
  return failed(check, [...differences(status === undefined ? {} : { status }, exchange), ...said])
}

function failed({ hint }: Check, reasons: readonly string[]): Verdict {
  return { passed: false, missing: [hint, ...new Set(reasons)].join('\n') }
}

function mayFail({ status, complete, log, quiet }: Expected): boolean {
  return (
    quiet === false ||
    complete === false ||
    log !== undefined ||
    (status !== undefined && status >= 500)
  )
}

/** How an answer differs from what is expected, a line each. */
export function differences(expected: Expected, { response, log, environ }: Exchange): string[] {
  if (response === null) return ['the connection was closed without a response']
  const lines: string[] = []
  const status = Number(response.status.slice(0, 3))
  if (expected.status !== undefined && status !== expected.status)
    lines.push(`the status is ${response.status}, not ${expected.status}`)
  const body = new TextDecoder().decode(response.body)
  if (expected.body !== undefined && body !== expected.body)
    lines.push(`the body is ${quoted(body)}, not ${quoted(expected.body)}`)
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const given = response.headers
      .filter(([each]) => each.toLowerCase() === name)
      .map(([, each]) => each)
      .join(', ')
    const has = response.headers.some(([each]) => each.toLowerCase() === name)
    if (value === null && has) lines.push(`there is a header ${name}: ${given}`)
    if (value !== null && !has) lines.push(`there is no header ${name}`)
    else if (value !== null && given !== value)
      lines.push(`the header ${name} is ${quoted(given)}, not ${quoted(value)}`)
  }
  for (const [name, value] of Object.entries(expected.environ ?? {})) {
    const given = environ?.find(([each]) => each === name)?.[1]
    if (value === null && given !== undefined) lines.push(`the environ has ${name}`)
    if (value !== null && given === undefined) lines.push(`the environ has no ${name}`)
    else if (value !== null && unquoted(given!) !== value)
      lines.push(`${name} is ${given}, not ${quoted(value)}`)
  }
  if (expected.complete !== false && !response.complete)
    lines.push('the response breaks off before its end')
  if (expected.complete === false && response.complete)
    lines.push('the response does not break off')
  if (expected.log !== undefined && !log.some(({ text }) => text.includes(expected.log!)))
    lines.push(`the log has no ${quoted(expected.log)}`)
  return lines
}

/** A line of a log that tells of an error, or of a rule that was broken. */
const COMPLAINT = /^(?!\s).*(\w(Error|Exception)\b|\bError: |declared Content-Length)/
/** A frame of the reader's program: Python names it before its error, TypeScript after it. */
const PYTHON_FRAME = /^\s+File "\/tutorial\/([^"]+)", line (\d+)/
const TYPESCRIPT_FRAME = /^\s+at (?:.* \()?([\w-]+\.ts):(\d+):\d+\)?$/

/**
 * The last lines of the errors in a log: what the validator, or the server, says, with the line of
 * the reader's program.
 */
export function complaints(log: readonly LogEntry[]): string[] {
  const found: string[] = []
  for (const { from, text } of log) {
    if (from === 'stdout') continue
    let place = ''
    const lines = text.split('\n')
    for (const [index, line] of lines.entries()) {
      const frame = PYTHON_FRAME.exec(line)
      if (frame !== null) place = placeOf(frame)
      if (!COMPLAINT.test(line)) continue
      const below = TYPESCRIPT_FRAME.exec(lines[index + 1] ?? '')
      found.push(`${line}${below === null ? place : placeOf(below)}`)
      place = ''
    }
  }
  return found
}

function placeOf([, file, line]: RegExpExecArray): string {
  return ` (${file}, line ${line})`
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}

/** Environs are shown as their language writes texts. */
function unquoted(shown: string): string {
  return /^(['"]).*\1$/s.test(shown) ? shown.slice(1, -1) : shown
}
