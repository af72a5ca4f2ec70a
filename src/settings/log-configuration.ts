/**
 * What a configuration of Python's `logging` says about the server's own logs.
 *
 * Gunicorn writes them through `logging`, so its users configure them there. Here they are written
 * outside Python: files, levels and JSON are taken over, and for the rest there is a note.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { GivenValue } from './command-line.ts'
import type { Settings } from './table.ts'

type Configuration = Readonly<Record<string, unknown>>

/** Gunicorn's defaults, as far as they matter here; a key of the user replaces all of one. */
const DEFAULTS: Configuration = {
  loggers: {
    'gunicorn.error': { level: 'INFO', handlers: ['error_console'] },
    'gunicorn.access': { level: 'INFO', handlers: ['console'] },
  },
  handlers: {
    console: { class: 'logging.StreamHandler', stream: 'ext://sys.stdout' },
    error_console: { class: 'logging.StreamHandler', stream: 'ext://sys.stderr' },
  },
}

const FILE_HANDLERS = [
  'logging.FileHandler',
  'logging.handlers.WatchedFileHandler',
  'logging.handlers.RotatingFileHandler',
  'logging.handlers.TimedRotatingFileHandler',
]
const ROTATING = /Rotating/

interface LoggerOfServer {
  readonly configuration: Configuration
  readonly logger: string
  /** What the server writes with it: `the access log`. */
  readonly what: string
  /** Relative paths start from there. */
  readonly folder: string
}

/** Where a logger's entries go. */
interface Target {
  /** A path, or `-`. */
  readonly file: string
  readonly json: boolean
  readonly rotates: boolean
}

/**
 * Takes over what the user's logging configuration says about the access log and the error log,
 * unless a setting says it too.
 *
 * @param given the value of a setting that the user gave, by name
 * @returns the settings, and notes about them for the user
 */
export function takeOverLogConfiguration(
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
): { settings: Settings; notes: readonly string[] } {
  const found = configurationOf(settings)
  if (found === null) return { settings, notes: [] }
  const { name, configuration } = found
  if (configuration === null) {
    const text = `${name}: the access log is not written through it; use --access-logfile`
    return { settings, notes: given('access_logfile') === undefined ? [text] : [] }
  }
  const notes: string[] = []
  const taken: Partial<Record<keyof Settings, unknown>> = {}
  const take = (logger: string, log: 'access' | 'error') => {
    const what = log === 'access' ? 'the access log' : "the server's own messages"
    const target = targetOf({ configuration, logger, what, folder: settings.chdir }, (text) =>
      notes.push(`${name}: ${text}`),
    )
    if (target === null) return
    if (given(`${log}_logfile`) === undefined && !(log === 'error' && target.file === '-')) {
      taken[`${log}Logfile`] = target.file
      const where = target.file === '-' ? 'standard output' : target.file
      notes.push(`${name}: the ${log} log goes to ${where}, as for ${logger}`)
      if (target.rotates)
        notes.push(`${name}: ${target.file} is not rotated; rename it and send SIGUSR1 instead`)
    }
    if (target.json && given(`${log}_log_format`) === undefined) {
      taken[`${log}LogFormat`] = 'json'
      notes.push(
        `${name}: the ${log} log is JSON, with members of its own (docs/guides/logging.md)`,
      )
    }
  }
  take('gunicorn.access', 'access')
  take('gunicorn.error', 'error')
  const level = String(part(part(configuration, 'loggers'), 'gunicorn.error').level ?? '')
  const levels = ['debug', 'info', 'warning', 'error', 'critical']
  if (given('log_level') === undefined && levels.includes(level.toLowerCase()))
    taken.logLevel = level.toLowerCase()
  return { settings: { ...settings, ...taken } as Settings, notes }
}

/** The configuration that counts; null for one that cannot be read here. */
function configurationOf(
  settings: Settings,
): { name: string; configuration: Configuration | null } | null {
  const { logconfigDict, logconfigJson, logconfig } = settings
  if (Object.keys(logconfigDict).length > 0)
    return { name: 'logconfig_dict', configuration: { ...DEFAULTS, ...logconfigDict } }
  if (logconfigJson !== null) {
    try {
      const read = JSON.parse(readFileSync(logconfigJson, 'utf8'))
      return { name: 'logconfig_json', configuration: { ...DEFAULTS, ...read } }
    } catch {
      return null // each worker says what is wrong with it
    }
  }
  return logconfig === null ? null : { name: 'logconfig', configuration: null }
}

function targetOf(
  { configuration, logger, what, folder }: LoggerOfServer,
  note: (text: string) => void,
): Target | null {
  const entry = part(part(configuration, 'loggers'), logger)
  const names = Array.isArray(entry.handlers) ? entry.handlers.map(String) : []
  if (Array.isArray(entry.filters) && entry.filters.length > 0)
    note(
      `filters of ${logger} do not apply to ${what}` +
        (logger === 'gunicorn.access' ? '; --access-log-skip leaves paths out of it' : ''),
    )
  let target: Target | null = null
  for (const name of names) {
    const handler = part(part(configuration, 'handlers'), name)
    // A handler that does not exist is an error, which the workers report.
    if (Object.keys(handler).length === 0) continue
    const kind = String(handler.class ?? handler['()'] ?? '')
    const isStream = kind === 'logging.StreamHandler'
    const isFile = FILE_HANDLERS.includes(kind) && typeof handler.filename === 'string'
    if ((!isStream && !isFile) || target !== null) {
      note(`handler ${name} of ${logger} does not get ${what} (docs/guides/logging.md)`)
      continue
    }
    const formatter = part(part(configuration, 'formatters'), String(handler.formatter ?? ''))
    target = {
      file: isFile ? resolve(folder, String(handler.filename)) : '-',
      json: /json/i.test(`${formatter.class ?? ''} ${formatter['()'] ?? ''}`),
      rotates: ROTATING.test(kind),
    }
  }
  return target
}

function part(object: Configuration, key: string): Configuration {
  const value = object[key]
  return typeof value === 'object' && value !== null ? (value as Configuration) : {}
}
