/** Access log formats: text with `%(x)s` atoms, as in Gunicorn, compiled to a function. */
import type { AccessRecord } from '../observe/access-record.ts'
import { type AccessFormatter, type Atom, atomNamed } from './access-atoms.ts'
import { compileJsonFormat, type JsonMember, usualJsonFormat } from './access-json.ts'
import { escapeLiteral } from './escaped-text.ts'

/** Apache's combined log format, in Gunicorn's atoms. */
export const combinedFormat = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

/** Thrown for a format that cannot be compiled. `message` names the atom. */
export class AccessFormatError extends Error {
  readonly code = 'bad-access-log-format'
}

/** A piece of a format: literal text, or an atom with the conversion that Python would make. */
type Piece = string | { readonly atom: Atom; readonly convert: Convert | null }

/** Formats an atom as `%-10s` or `%.3f` does; null if it is `%s` alone. */
type Convert = (text: string, value: string | number | undefined) => string

/**
 * Compiles a format.
 *
 * @param format text with atoms; `json` for objects with the usual fields; or `json:` and an object
 * whose values are texts with atoms
 * @param traces whether requests have traces, for `json`
 * @throws AccessFormatError for a lone percent sign, or a conversion that an atom cannot have
 * @example
 * compileAccessFormat('%(h)s "%(r)s" %(s)s')(record) // '127.0.0.1 "GET / HTTP/1.1" 200'
 * compileAccessFormat('json:{"path": "%(U)s", "ms": "%(M)s"}')(record) // '{"path":"/","ms":3}'
 */
export function compileAccessFormat(format: string, traces = false): AccessFormatter {
  if (format === 'json') return usualJsonFormat(traces)
  if (format.startsWith('json:')) return compileJsonFormat(membersOf(format.slice(5)))
  const parts = piecesOf(format).map((piece) =>
    typeof piece === 'string' ? escapeLiteral(piece) : textOf(piece),
  )
  return (record) => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : part(record)
    return line
  }
}

/** What an atom that does not exist stands for, as in Gunicorn. */
const NOTHING: Atom = { value: () => undefined, text: () => '-' }

const ATOM = /%\(([^)]*)\)([-0 +#]*)([0-9]*)(?:\.([0-9]+))?([a-zA-Z])|%%|[^%]+|%/g

/**
 * The atoms of a format that do not exist. A line has `-` in their place.
 *
 * @example
 * unknownAtoms('%(h)s %(x)s') // ['%(x)s']
 */
export function unknownAtoms(format: string): string[] {
  const atoms = [...format.matchAll(ATOM)].filter(([, name]) => name !== undefined)
  return atoms.filter(([, name]) => atomNamed(name!) === undefined).map(([text]) => text)
}

function textOf({ atom, convert }: Exclude<Piece, string>): AccessFormatter {
  if (convert === null) return atom.text
  return (record) => convert(atom.text(record), atom.value(record))
}

function piecesOf(format: string): Piece[] {
  const pieces: Piece[] = []
  let literal = ''
  for (const [text, name, flags, width, precision, kind] of format.matchAll(ATOM)) {
    if (text === '%%') literal += '%'
    else if (name !== undefined) {
      if (literal !== '') pieces.push(literal)
      literal = ''
      const atom = atomNamed(name) ?? NOTHING
      if (kind !== 's' && !atom.numeric)
        throw new AccessFormatError(`${text} must end in s, because it is not a number`)
      pieces.push({ atom, convert: conversion(text, flags!, width!, precision, kind!) })
    } else if (text === '%') {
      throw new AccessFormatError(
        'a percent sign begins an atom such as %(h)s; write %% for a percent sign itself',
      )
    } else literal += text
  }
  if (literal !== '') pieces.push(literal)
  return pieces
}

/** Python's `%` formatting of one value, as far as it makes sense for atoms: `s`, `d` and `f`. */
function conversion(
  text: string,
  flags: string,
  width: string,
  precision: string | undefined,
  kind: string,
): Convert | null {
  if (!/^[sdif]$/.test(kind) || Number(width) > 1000 || Number(precision ?? 0) > 100)
    throw new AccessFormatError(`${text} must end in s (text), d (whole number) or f (decimals)`)
  if (kind === 's' && width === '' && precision === undefined) return null
  const columns = Number(width)
  const left = flags.includes('-')
  const fill = flags.includes('0') && !left && kind !== 's' ? '0' : ' '
  return (shown, value) => {
    let result = shown
    const number = typeof value === 'number' ? value : Number.NaN
    if (kind === 's') result = precision === undefined ? shown : shown.slice(0, Number(precision))
    else if (!Number.isNaN(number))
      result = kind === 'f' ? number.toFixed(Number(precision ?? 6)) : String(Math.trunc(number))
    return left ? result.padEnd(columns) : result.padStart(columns, fill)
  }
}

/** The members of a JSON format that the user wrote. */
function membersOf(text: string): JsonMember[] {
  let object: unknown
  try {
    object = JSON.parse(text)
  } catch {
    object = null
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    throw new AccessFormatError('after json: comes an object such as {"path": "%(U)s"}')
  return Object.entries(object).map(([name, format]) => {
    if (typeof format !== 'string')
      throw new AccessFormatError(`the value of ${JSON.stringify(name)} must be a text with atoms`)
    const pieces = piecesOf(format)
    const [first] = pieces
    if (pieces.length === 1 && first !== undefined && typeof first !== 'string' && !first.convert)
      return { name, value: first.atom.value }
    return { name, value: joined(pieces) }
  })
}

function joined(pieces: readonly Piece[]): (record: AccessRecord) => string {
  return (record) => {
    let text = ''
    for (const piece of pieces) {
      if (typeof piece === 'string') text += Buffer.from(piece, 'utf8').toString('latin1')
      else {
        const value = piece.atom.value(record)
        const shown = value === undefined ? '-' : String(value)
        text += piece.convert === null ? shown : piece.convert(shown, value)
      }
    }
    return text
  }
}
