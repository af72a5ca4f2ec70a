/** Values as Gunicorn reads them. */
import { isDeepStrictEqual } from 'node:util'
import { type GunicornFact, gunicornFacts } from './gunicorn-facts.ts'
import { PythonObject } from './python-object.ts'

const facts = new Map(gunicornFacts.map((fact) => [fact.name, fact]))

/** What Gunicorn knows of a setting with that name; undefined if it has none. */
export function gunicornFact(name: string): GunicornFact | undefined {
  return facts.get(name)
}

/**
 * Brings a value of a setting of Gunicorn into the form that our settings accept, as Gunicorn does
 * itself: `"4"` is a number where one is expected, `None` is an empty list, and text is trimmed.
 * What Gunicorn does not accept either stays as it is.
 */
export function gunicornValue({ name, kind }: GunicornFact, raw: unknown): unknown {
  // The constants of Python's `ssl` are numbers.
  if (name === 'ssl_version' && typeof raw === 'number') return String(raw)
  switch (kind) {
    case 'integer':
      return typeof raw === 'string' ? (pythonInteger(raw) ?? raw) : raw
    case 'boolean':
      if (raw === null) return false
      if (typeof raw !== 'string') return raw
      return { true: true, false: false }[raw.trim().toLowerCase()] ?? raw
    case 'strings':
      if (!raw) return []
      return Array.isArray(raw) ? raw.map(trimmed) : trimmed(raw)
    case 'comma-separated':
      return raw === null ? [] : trimmed(raw)
    case 'class':
      return raw instanceof PythonObject && raw.kind === 'class' ? raw.text : trimmed(raw)
    case 'mapping':
    case 'hook':
      return raw
    default:
      return trimmed(raw)
  }
}

/** Whether a value is what Gunicorn uses if the setting is not given: it changes nothing. */
export function isGunicornDefault(fact: GunicornFact, raw: unknown): boolean {
  const value = gunicornValue(fact, raw)
  if (value === null || value === undefined) return true
  const { kind } = fact
  if (isDeepStrictEqual(value, fact.default)) return true
  // From the command line, a number is text.
  if (typeof fact.default === 'number' && String(value) === String(fact.default)) return true
  if (kind === 'boolean') return value === (fact.default ?? false)
  if (kind === 'comma-separated') return listed(value) === listed(fact.default)
  if (Array.isArray(value)) return value.length === 0 && fact.default === null
  if (value === '') return fact.default === null
  return SAME_AS_DEFAULT[fact.name]?.includes(String(value).toLowerCase()) ?? false
}

/** Other spellings of defaults. */
const SAME_AS_DEFAULT: Readonly<Record<string, readonly string[]>> = {
  proxy_protocol: ['off', 'false', '0', 'none'],
  http2_cleartext: ['off', 'false'],
  reload_engine: ['auto'],
  asgi_loop: ['auto'],
  asgi_lifespan: ['auto'],
  http_parser: ['auto'],
  logger_class: ['simple', 'gunicorn.glogging.logger'],
  worker_class: ['gunicorn.workers.sync.syncworker'],
}

function trimmed(raw: unknown): unknown {
  return typeof raw === 'string' ? raw.trim() : raw
}

function listed(value: unknown): string {
  const items = Array.isArray(value) ? value.map(String) : String(value).split(',')
  return items
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .join()
}

/**
 * Reads `int(text, 0)`: decimal digits without a leading zero, or with a prefix such as `0x`.
 *
 * @returns undefined if it is none
 */
function pythonInteger(text: string): number | undefined {
  const found = /^([+-]?)(0[xob][0-9a-f_]+|0+|[1-9][0-9_]*)$/i.exec(text.trim())
  if (found === null) return undefined
  const value = Number(found[2]!.replaceAll('_', ''))
  if (!Number.isSafeInteger(value)) return undefined
  return found[1] === '-' ? -value : value
}
