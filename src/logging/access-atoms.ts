/** The atoms of access log formats: what `%(h)s` and the others stand for. */
import type { AccessRecord } from '../observe/access-record.ts'
import { basicUser } from './basic-user.ts'
import { escapeLogText, escapeLogWord } from './escaped-text.ts'
import { accessLogClock } from './log-time.ts'

/** The two forms of an atom. */
export interface Atom {
  /** For a line of text: harmless, and `-` if there is nothing. */
  readonly text: (record: AccessRecord) => string
  /** For JSON: not escaped; strings from the client are latin-1 views of its bytes. */
  readonly value: (record: AccessRecord) => string | number | undefined
  /** Its value is a number, so it may be written as `%(D)d` or `%(L).2f`. */
  readonly numeric?: boolean
}

/** Turns a record into a line, without the line end; ASCII only. */
export type AccessFormatter = (record: AccessRecord) => string

type Value = Atom['value']

/** An atom whose text comes from the client, or from the application. */
function sent(value: (record: AccessRecord) => string | undefined): Atom {
  return { value, text: (record) => escapeLogText(value(record)) }
}

/** The same where the usual formats have no quotes around it. */
function word(value: (record: AccessRecord) => string | undefined): Atom {
  return { value, text: (record) => escapeLogWord(value(record)) }
}

function own(value: Value): Atom {
  return { value, text: (record) => String(value(record) ?? '-') }
}

function number(value: (record: AccessRecord) => number): Atom {
  return { value, text: (record) => String(value(record)), numeric: true }
}

const ATOMS: Readonly<Record<string, () => Atom>> = {
  h: () => word((record) => record.remoteAddress),
  l: () => own(() => '-'),
  u: () => word(userOf),
  t: () => {
    const clock = accessLogClock()
    return own((record) => clock(record.startedAt))
  },
  r: () => sent((record) => record.requestLine),
  m: () => sent((record) => record.method),
  U: () => sent((record) => pathOf(record.target)),
  // Empty if there is none, as in Gunicorn.
  q: () => ({
    value: (record) => queryOf(record.target),
    text: (record) => {
      const query = queryOf(record.target)
      return query === '' ? '' : escapeLogText(query)
    },
  }),
  H: () => sent((record) => record.protocol),
  s: () => number((record) => record.status),
  b: () => ({
    numeric: true,
    value: (record) => record.bytes,
    text: (record) => (record.bytes === 0 ? '-' : String(record.bytes)),
  }),
  B: () => number((record) => record.bytes),
  f: () => sent((record) => record.header('referer')),
  a: () => sent((record) => record.header('user-agent')),
  T: () => number((record) => Math.floor(record.seconds)),
  M: () => number((record) => Math.floor(microseconds(record) / 1e3)),
  D: () => number(microseconds),
  L: () => ({
    numeric: true,
    value: (record) => microseconds(record) / 1e6,
    text: (record) => {
      const micros = microseconds(record)
      return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`
    },
  }),
  trace_id: () => own((record) => record.trace?.traceId),
  span_id: () => own((record) => record.trace?.spanId),
  p: () => ({ value: () => process.pid, text: () => `<${process.pid}>` }),
}

/**
 * The atom of a name: one letter, `{name}i` (a request header), `{name}o` (a response header) or
 * `{name}e` (a variable of the environ). Undefined if there is none.
 */
export function atomNamed(name: string): Atom | undefined {
  const plain = Object.hasOwn(ATOMS, name) ? ATOMS[name] : undefined
  if (plain !== undefined) return plain()
  const braced = /^\{([^{}]+)\}([ioe])$/.exec(name)
  if (braced === null) return undefined
  const key = braced[1]!.toLowerCase()
  switch (braced[2]) {
    case 'i':
      return sent((record) => record.header(key))
    case 'o':
      return sent((record) => record.responseHeader?.(key))
    default:
      return sent((record) => record.variable?.(key))
  }
}

/** All names, as they stand in a format. */
export function knownAtoms(): string {
  return `${Object.keys(ATOMS)
    .map((name) => `%(${name})s`)
    .join(' ')} %({name}i)s %({name}o)s %({name}e)s`
}

/** A request's whole microseconds. Rounding first undoes the error of binary fractions. */
export function microseconds(record: AccessRecord): number {
  return Math.floor(Math.round(record.seconds * 1e9) / 1e3)
}

/** The user name of HTTP Basic authentication, which nobody has verified. */
export function userOf(record: AccessRecord): string | undefined {
  return record.user ?? basicUser(record.header('authorization'))
}

/** The path of an origin-form or absolute-form target, as it was sent. */
export function pathOf(target: string): string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (path.charCodeAt(0) === 0x2f) return path
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(.*)$/i.exec(path)
  return match ? match[1] || '/' : path
}

/** The query string of a target, without its question mark. */
export function queryOf(target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? '' : target.slice(query + 1)
}
