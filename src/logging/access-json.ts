/** Access log lines that are JSON objects. */
import type { AccessRecord } from '../observe/access-record.ts'
import { type AccessFormatter, microseconds, pathOf, queryOf, userOf } from './access-atoms.ts'
import { jsonClock } from './log-time.ts'

/** One member of the objects. */
export interface JsonMember {
  readonly name: string
  /** Strings are latin-1 views of bytes. A member that is undefined becomes null. */
  readonly value: (record: AccessRecord) => string | number | undefined
}

/** Strings that JSON has as they are. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for bytes beyond ASCII
const BEYOND_ASCII = /[^\x00-\x7f]/
const UNSAFE = /[\u007f-\uffff]/g
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The format of `--access-logformat json`. Every line has the same members in the same order; what
 * a request does not have is null.
 *
 * @param traces whether requests have traces: then `trace_id` and `span_id` are among the members
 */
export function usualJsonFormat(traces: boolean): AccessFormatter {
  const clock = jsonClock()
  const { pid } = process
  return (record) => {
    const micros = microseconds(record)
    const { target } = record
    return (
      `{"time":"${clock(record.startedAt)}","remote_addr":${jsonText(record.remoteAddress)},` +
      `"user":${jsonText(userOf(record))},"method":${jsonText(record.method)},` +
      `"path":${jsonText(pathOf(target))},"query":${jsonText(queryOf(target))},` +
      `"protocol":${jsonText(record.protocol)},"status":${record.status},` +
      `"bytes":${record.bytes},"duration":${micros / 1e6},` +
      `"referer":${jsonText(record.header('referer'))},` +
      `"user_agent":${jsonText(record.header('user-agent'))},"pid":${pid}` +
      (traces ? traceMembers(record) : '}')
    )
  }
}

function traceMembers({ trace }: AccessRecord): string {
  return trace ? `,"trace_id":"${trace.traceId}","span_id":"${trace.spanId}"}` : NO_TRACE
}

const NO_TRACE = ',"trace_id":null,"span_id":null}'

/** A format with members of the user's own. */
export function compileJsonFormat(members: readonly JsonMember[]): AccessFormatter {
  const named = members.map(({ name, value }, index) => ({
    start: `${index === 0 ? '{' : ','}${asciiJson(name)}:`,
    value,
  }))
  if (named.length === 0) return () => '{}'
  return (record) => {
    let line = ''
    for (const { start, value } of named) {
      const found = value(record)
      line += start + (typeof found === 'number' ? String(found) : jsonText(found))
    }
    return `${line}}`
  }
}

/**
 * A string for JSON, in ASCII; `null` if it is missing or empty.
 *
 * @param text a latin-1 view of bytes. If these are UTF-8, the result has their characters;
 * otherwise each byte is the character with its number
 */
function jsonText(text: string | undefined): string {
  if (text === undefined || text === '') return 'null'
  if (PLAIN.test(text)) return `"${text}"`
  return asciiJson(BEYOND_ASCII.test(text) ? decoded(text) : text)
}

function decoded(text: string): string {
  try {
    return utf8.decode(Buffer.from(text, 'latin1'))
  } catch {
    return text
  }
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
