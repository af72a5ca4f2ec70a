/** Entries of the error log as JSON objects, one on each line. */
import { splitCode } from '../messages/coded.ts'
import { splitTraceNote } from '../observe/trace-note.ts'
import type { LogLevel } from './log-level.ts'

/** What `JSON.stringify` leaves as it is, but may confuse a terminal or a reader of lines. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g
/** Where a traceback or a stack begins in the text of an entry. */
const TRACEBACK =
  /(?:^|\n)(?:Traceback \(most recent call last\):|Stack \(most recent call last\):|.*\n {4}at )/

/**
 * An entry. A traceback in its text is in a member of its own, so that whoever reads the log sees
 * what happened in `message`; so are the code of an error, and the place of a request in a trace.
 *
 * @param time as JSON has it: `2026-11-23T00:08:11.900Z`
 */
export function jsonEntry(time: string, pid: number, level: LogLevel, text: string): string {
  const start = `{"time":"${time}","level":"${level}","pid":${pid},"message":`
  const parts = splitCode(text)
  const code = parts === null ? '' : `,"code":"${parts.code}"`
  const noted = splitTraceNote(parts?.text ?? text)
  const end =
    noted === null
      ? `${code}}\n`
      : `${code},"trace_id":"${noted.traceId}","span_id":"${noted.spanId}"}\n`
  const whole = noted === null ? (parts?.text ?? text) : noted.text
  const at = whole.search(TRACEBACK)
  if (at === -1) return `${start}${quoted(whole)}${end}`
  const traceback = whole.slice(at).trim()
  const before = whole.slice(0, at).trim()
  // Without a text of its own, the last line says what it is about; of a stack, the first one.
  const lines = traceback.split('\n')
  const message = before !== '' ? before : traceback.startsWith('Trace') ? lines.at(-1)! : lines[0]!
  return `${start}${quoted(message)},"traceback":${quoted(traceback)}${end}`
}

/** A line that the application printed. */
export function jsonOutput(time: string, pid: number, stream: string, line: string): string {
  return `{"time":"${time}","stream":"${stream}","pid":${pid},"message":${quoted(line)}}\n`
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
