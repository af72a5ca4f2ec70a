/** Configurations of Python's `logging` in files, in the form of the dictionary. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type PythonIni, readPythonIni } from './python-ini.ts'

/** What `logging.config.dictConfig` gets. */
export type LogConfiguration = Readonly<Record<string, unknown>>

/** Reads a JSON file; null if that is not possible: each worker says what is wrong with it. */
export function readLogConfigurationJson(path: string): LogConfiguration | null {
  try {
    const read: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof read === 'object' && read !== null ? (read as LogConfiguration) : null
  } catch {
    return null
  }
}

/**
 * Reads a file for `logging.config.fileConfig`. What can be known only in Python, such as a call
 * in the arguments of a handler, is left out.
 *
 * @returns null if it cannot be read: each worker says what is wrong with it
 */
export function readLogConfigurationIni(path: string): LogConfiguration | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return null
  }
  const ini = readPythonIni(text, { __file__: path, here: dirname(path) })
  if (ini === null) return null
  const loggers = names(ini.get('loggers', 'keys')).filter((name) => name !== 'root')
  return {
    version: 1,
    disable_existing_loggers: false,
    root: loggerOf(ini, 'logger_root'),
    loggers: Object.fromEntries(
      loggers.map((name) => [
        ini.get(`logger_${name}`, 'qualname') ?? name,
        {
          ...loggerOf(ini, `logger_${name}`),
          propagate: truth(ini.get(`logger_${name}`, 'propagate')),
        },
      ]),
    ),
    handlers: partsOf(ini, 'handler', handlerOf),
    formatters: partsOf(ini, 'formatter', formatterOf),
  }
}

function partsOf(
  ini: PythonIni,
  kind: string,
  read: (ini: PythonIni, section: string) => LogConfiguration,
): LogConfiguration {
  const all = names(ini.get(`${kind}s`, 'keys'))
  return Object.fromEntries(all.map((name) => [name, read(ini, `${kind}_${name}`)]))
}

function loggerOf(ini: PythonIni, section: string): LogConfiguration {
  return {
    ...given({ level: ini.get(section, 'level') }),
    handlers: names(ini.get(section, 'handlers')),
  }
}

function handlerOf(ini: PythonIni, section: string): LogConfiguration {
  const kind = ini.get(section, 'class') ?? ''
  const args = ini.get(section, 'args') ?? '()'
  const kwargs = ini.get(section, 'kwargs') ?? '{}'
  const first = new RegExp(`^\\(\\s*${VALUE.source}\\s*[,)]`).exec(args)
  const named = new RegExp(`["'](?:filename|stream)["']\\s*:\\s*${VALUE.source}\\s*[,}]`)
  const target = textOrStream(first ?? named.exec(kwargs))
  const plain = kind.replace(/^logging\./, '')
  const isKnown = /^(?:handlers\.)?[A-Za-z]+$/.test(plain)
  // Without arguments, a stream handler writes to standard error. Others cannot be known here.
  const stream = /^\(\s*\)$/.test(args) && /^\{\s*\}$/.test(kwargs) ? 'ext://sys.stderr' : target
  return given({
    class: isKnown ? `logging.${plain}` : kind,
    level: ini.get(section, 'level'),
    formatter: ini.get(section, 'formatter'),
    ...(plain === 'StreamHandler' ? { stream: stream ?? UNKNOWN } : { filename: target }),
  })
}

/** A stream that only Python can tell. */
const UNKNOWN = 'unknown'

function formatterOf(ini: PythonIni, section: string): LogConfiguration {
  return given({
    format: ini.raw(section, 'format'),
    class: ini.get(section, 'class'),
    style: ini.raw(section, 'style'),
  })
}

/** A text, or a standard stream. */
const VALUE = /(?:([rRuU]?)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|sys\.(stdout|stderr))/

function textOrStream(found: RegExpExecArray | null): string | undefined {
  const [, prefix = '', quoted, stream] = found ?? []
  if (stream !== undefined) return `ext://sys.${stream}`
  const inner = quoted?.slice(1, -1)
  if (inner === undefined || /r/i.test(prefix) || !inner.includes('\\')) return inner
  // Other escapes are rare in paths, and have many forms.
  return /\\[^\\'"]/.test(inner.replaceAll('\\\\', ''))
    ? undefined
    : inner.replace(/\\([\\'"])/g, '$1')
}

function names(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function truth(text: string | undefined): boolean {
  return text === undefined || Number.parseInt(text, 10) !== 0
}

function given(object: Readonly<Record<string, unknown>>): LogConfiguration {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
