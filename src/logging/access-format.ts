/** Access log formats: text with `%(x)s` atoms, as in Gunicorn, compiled to a function. */
import type { AccessRecord } from '../observe/access-record.ts'
import { basicUser } from './basic-user.ts'
import { escapeLiteral, escapeLogText, escapeLogWord } from './escaped-text.ts'
import { accessLogClock } from './log-time.ts'

/** Apache's combined log format, in Gunicorn's atoms. */
export const combinedFormat = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

/** Thrown for a format that cannot be compiled. `message` names the atom. */
export class AccessFormatError extends Error {
  readonly code = 'bad-access-log-format'
}

/** Turns a record into a line, without the line end; ASCII only. */
export type AccessFormatter = (record: AccessRecord) => string

type Atom = (record: AccessRecord) => string

const ATOMS: Readonly<Record<string, () => Atom>> = {
  h: () => (record) => escapeLogWord(record.remoteAddress),
  l: () => () => '-',
  u: () => (record) => escapeLogWord(record.user ?? basicUser(record.header('authorization'))),
  t: () => {
    const clock = accessLogClock()
    return (record) => clock(record.startedAt)
  },
  r: () => (record) => escapeLogText(record.requestLine),
  m: () => (record) => escapeLogText(record.method),
  U: () => (record) => escapeLogText(pathOf(record.target)),
  q: () => (record) => escapeLogText(queryOf(record.target)),
  H: () => (record) => escapeLogText(record.protocol),
  s: () => (record) => String(record.status),
  b: () => (record) => (record.bytes === 0 ? '-' : String(record.bytes)),
  B: () => (record) => String(record.bytes),
  f: () => (record) => escapeLogText(record.header('referer')),
  a: () => (record) => escapeLogText(record.header('user-agent')),
  T: () => (record) => String(Math.floor(record.seconds)),
  M: () => (record) => String(Math.floor(microseconds(record) / 1e3)),
  D: () => (record) => String(microseconds(record)),
  L: () => (record) => {
    const micros = microseconds(record)
    return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`
  },
  p: () => () => `<${process.pid}>`,
}

/**
 * Compiles a format.
 *
 * @throws AccessFormatError for an atom that does not exist or a lone percent sign
 * @example compileAccessFormat('%(h)s "%(r)s" %(s)s')(record) // '127.0.0.1 "GET / HTTP/1.1" 200'
 */
export function compileAccessFormat(format: string): AccessFormatter {
  const parts: (string | Atom)[] = []
  let literal = ''
  for (const [piece, name] of format.matchAll(/%\(([^)]*)\)s|%%|[^%]+|%/g)) {
    if (piece === '%%') literal += '%'
    else if (name !== undefined) {
      if (literal !== '') parts.push(literal)
      literal = ''
      parts.push(atomNamed(name, piece))
    } else if (piece === '%') {
      throw new AccessFormatError(
        'a percent sign begins an atom such as %(h)s; write %% for a percent sign itself',
      )
    } else literal += escapeLiteral(piece)
  }
  if (literal !== '') parts.push(literal)
  return (record) => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : part(record)
    return line
  }
}

function atomNamed(name: string, piece: string): Atom {
  const plain = Object.hasOwn(ATOMS, name) ? ATOMS[name] : undefined
  if (plain) return plain()
  const braced = /^\{([^{}]+)\}([ioe])$/.exec(name)
  if (!braced)
    throw new AccessFormatError(`there is no atom ${piece}; the known ones are ${knownAtoms()}`)
  const key = braced[1]!.toLowerCase()
  switch (braced[2]) {
    case 'i':
      return (record) => escapeLogText(record.header(key))
    case 'o':
      return (record) => escapeLogText(record.responseHeader?.(key))
    default:
      return (record) => escapeLogText(record.variable?.(key))
  }
}

function knownAtoms(): string {
  return `${Object.keys(ATOMS)
    .map((name) => `%(${name})s`)
    .join(' ')} %({name}i)s %({name}o)s %({name}e)s`
}

/** A request's whole microseconds. Rounding first undoes the error of binary fractions. */
function microseconds(record: AccessRecord): number {
  return Math.floor(Math.round(record.seconds * 1e9) / 1e3)
}

/** The path of an origin-form or absolute-form target. */
function pathOf(target: string): string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (path.charCodeAt(0) === 0x2f) return path
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/]*(.*)$/i.exec(path)
  return match ? match[1] || '/' : path
}

function queryOf(target: string): string {
  const query = target.indexOf('?')
  return query === -1 ? '' : target.slice(query + 1)
}
