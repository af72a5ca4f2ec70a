/**
 * What a configuration of Python's `logging` says about the server's own logs.
 *
 * Gunicorn writes them through `logging`, so its users configure them there. Here they are written
 * outside Python: files, streams, levels and JSON are taken over, and for the rest there is a note.
 */
import { resolve } from 'node:path'
import type { GivenValue } from './command-line.ts'
import {
  type LogConfiguration,
  readLogConfigurationIni,
  readLogConfigurationJson,
} from './log-configuration-file.ts'
import { formatOfLine } from './log-configuration-format.ts'
import { PythonObject } from './python-object.ts'
import type { Settings } from './table.ts'

/** Gunicorn's defaults, as far as they matter here; a key of the user replaces all of one. */
const DEFAULTS: LogConfiguration = {
  root: { level: 'INFO', handlers: ['console'] },
  loggers: {
    'gunicorn.error': { level: 'INFO', handlers: ['error_console'], propagate: true },
    'gunicorn.access': { level: 'INFO', handlers: ['console'], propagate: true },
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
/** Names of Python's levels, from the least important. */
const LEVELS = ['debug', 'info', 'warning', 'error', 'critical']
const INFO = 1

interface ServerLog {
  readonly logger: string
  /** What the server writes with it: `the access log`. */
  readonly what: string
  /** The standard stream that `-` stands for. */
  readonly standard: 'stdout' | 'stderr'
}

const ACCESS: ServerLog = { logger: 'gunicorn.access', what: 'the access log', standard: 'stdout' }
const ERROR: ServerLog = {
  logger: 'gunicorn.error',
  what: "the server's own messages",
  standard: 'stderr',
}

/** Where a logger's entries go. */
interface Target {
  /** A path, or `-`. */
  readonly file: string
  readonly isStream: boolean
  /** The file, or the stream, in words. */
  readonly where: string
  readonly json: boolean
  /** The format of lines; empty for a formatter of another class. */
  readonly format: string
  readonly style: string
  readonly formatter: string
  readonly rotates: boolean
  /** Lower ones are not written; an index of {@link LEVELS}. */
  readonly level: number
}

/** What a configuration says about a logger. */
interface Logger {
  /** An index of {@link LEVELS}; null if it says none. */
  readonly level: number | null
  /** Handlers of the logger itself, or if it has none, of the loggers above it. */
  readonly handlers: readonly string[]
  /** Further ones, of loggers above it. */
  readonly inherited: readonly string[]
  readonly filtered: boolean
}

/**
 * Takes over what the user's logging configuration says about the access log and the error log. As
 * in Gunicorn, it counts more than `accesslog`, `errorlog` and `loglevel`, for the loggers that it
 * names.
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
  const notes: string[] = []
  const taken: { -readonly [Key in keyof Settings]?: Settings[Key] } = {}
  const note = (text: string) => {
    notes.push(`${name}: ${text}`)
  }
  const take = (log: 'access' | 'error', server: ServerLog): Target | null => {
    const logger = loggerOf(configuration, server.logger)
    if (logger === null) return null
    const target = targetOf(configuration, server, logger, settings.chdir, note)
    const usual = log === 'error' ? LEVELS.indexOf(settings.logLevel) : INFO
    const least = Math.max(logger.level ?? usual, target?.level ?? 0)
    if (log === 'error') taken.logLevel = LEVELS[least] as Settings['logLevel']
    else if (least > INFO || logger.handlers.length === 0) {
      taken.accessLogfile = null
      note(`there is no access log, as ${server.logger} writes nothing of level INFO`)
      return null
    }
    if (target === null) return null
    const before = log === 'access' ? settings.accessLogfile : settings.errorLogfile
    taken[`${log}Logfile`] = target.file
    if (target.file !== before)
      note(`the ${log} log goes to ${target.where}, as for ${server.logger}`)
    if (target.rotates) note(`${target.file} is not rotated; rename it and send SIGUSR1 instead`)
    if (target.json && given(`${log}_log_format`) === undefined) {
      taken[`${log}LogFormat`] = 'json'
      note(`the ${log} log is JSON, with members of its own (docs/guides/logging.md)`)
    }
    return target
  }
  const access = take('access', ACCESS)
  if (access !== null && !access.json) {
    const format = formatOfLine(access, settings.accessLogFormat)
    if (format !== null) taken.accessLogFormat = format
    else
      note(
        `formatter ${access.formatter} is not used for the access log; ` +
          '--access-logformat sets its form',
      )
  }
  const error = take('error', ERROR)
  if (error !== null && !error.json && error.formatter !== '' && error.format !== OWN_FORM)
    note(`formatter ${error.formatter} is not used for ${ERROR.what}`)
  return { settings: { ...settings, ...taken }, notes }
}

/** The form that entries have here, as in Gunicorn without a configuration. */
const OWN_FORM = '%(asctime)s [%(process)d] [%(levelname)s] %(message)s'

/** The configuration that counts; null if there is none, or it cannot be read here. */
function configurationOf(
  settings: Settings,
): { name: string; configuration: LogConfiguration } | null {
  const { logconfigDict, logconfigJson, logconfig } = settings
  const withDefaults = (name: string, read: LogConfiguration | null) =>
    read === null ? null : { name, configuration: { ...DEFAULTS, ...read } }
  if (Object.keys(logconfigDict).length > 0) return withDefaults('logconfig_dict', logconfigDict)
  if (logconfigJson !== null)
    return withDefaults('logconfig_json', readLogConfigurationJson(logconfigJson))
  const read = logconfig === null ? null : readLogConfigurationIni(logconfig)
  return read === null ? null : { name: 'logconfig', configuration: read }
}

/** Null for a logger that the configuration leaves as it is. */
function loggerOf(configuration: LogConfiguration, name: string): Logger | null {
  const loggers = part(configuration, 'loggers')
  const own = part(loggers, name)
  const parent = part(loggers, 'gunicorn')
  const isNamed = name in loggers
  // To name a logger resets those below it.
  if (!isNamed && !('gunicorn' in loggers)) return null
  const root = 'root' in configuration ? part(configuration, 'root') : part(loggers, '')
  const above: LogConfiguration[] = []
  // Gunicorn itself lets nothing through; see `propagate` in its class Logger.
  if (!isNamed || own.propagate === true) {
    above.push(parent)
    if (parent.propagate !== false) above.push(root)
  }
  const levels = (isNamed ? [own] : [parent, root]).map(({ level }) => rankOf(level))
  const handlers = handlersOf(own)
  const inherited = above.flatMap(handlersOf)
  return {
    level: levels.find((level) => level !== null) ?? null,
    handlers: handlers.length > 0 ? handlers : inherited,
    inherited: handlers.length > 0 ? inherited : [],
    filtered: Array.isArray(own.filters) && own.filters.length > 0,
  }
}

function handlersOf({ handlers }: LogConfiguration): string[] {
  return Array.isArray(handlers) ? handlers.map(String) : []
}

/** The first handler that can be taken over; notes name the others. */
function targetOf(
  configuration: LogConfiguration,
  { logger, what, standard }: ServerLog,
  { handlers, inherited, filtered }: Logger,
  folder: string,
  note: (text: string) => void,
): Target | null {
  if (filtered)
    note(
      `filters of ${logger} do not apply to ${what}` +
        (logger === ACCESS.logger ? '; --access-log-skip leaves paths out of it' : ''),
    )
  let target: Target | null = null
  for (const name of new Set([...handlers, ...inherited])) {
    const handler = part(part(configuration, 'handlers'), name)
    // A handler that does not exist is an error, which the workers report.
    if (Object.keys(handler).length === 0) continue
    const kind = makerOf(handler)
    const level = rankOf(handler.level) ?? 0
    // In Gunicorn, it gets nothing either.
    if (logger === ACCESS.logger && level > INFO) continue
    const stream = kind === 'logging.StreamHandler' ? streamOf(handler.stream) : null
    const isFile = FILE_HANDLERS.includes(kind) && typeof handler.filename === 'string'
    if ((stream === null && !isFile) || target !== null) {
      // Nobody misses the second of two lines on the standard streams, as by Gunicorn's defaults.
      const isDouble = target?.isStream && stream !== null && inherited.includes(name)
      if (!isDouble)
        note(`handler ${name} of ${logger} does not get ${what} (docs/guides/logging.md)`)
      continue
    }
    const formatter = String(handler.formatter ?? '')
    const facts = part(part(configuration, 'formatters'), formatter)
    const maker = makerOf(facts) || 'logging.Formatter'
    const file = isFile ? resolve(folder, String(handler.filename)) : null
    target = {
      file: file ?? (stream === standard ? '-' : `/dev/${stream}`),
      where: file ?? (stream === 'stdout' ? 'standard output' : 'standard error'),
      isStream: file === null,
      json: /json/i.test(maker),
      format:
        maker === 'logging.Formatter' ? String(facts.format ?? facts.fmt ?? '%(message)s') : '',
      style: String(facts.style ?? '%'),
      formatter,
      rotates: ROTATING.test(kind),
      level,
    }
  }
  return target
}

/** The name of the class, or function, that makes a handler or a formatter. */
function makerOf(facts: LogConfiguration): string {
  const maker = facts.class ?? facts['()'] ?? ''
  return maker instanceof PythonObject ? maker.text : String(maker)
}

/** Null for one that only Python can tell. */
function streamOf(stream: unknown): 'stdout' | 'stderr' | null {
  if (stream === undefined || stream === 'ext://sys.stderr') return 'stderr'
  return stream === 'ext://sys.stdout' ? 'stdout' : null
}

/** An index of {@link LEVELS}; null for none, or for one that does not exist. */
function rankOf(level: unknown): number | null {
  if (typeof level === 'number')
    return level <= 0 ? null : Math.min(Math.max(Math.ceil(level / 10) - 1, 0), LEVELS.length - 1)
  const name = String(level ?? '').toLowerCase()
  const rank = LEVELS.indexOf({ warn: 'warning', fatal: 'critical' }[name] ?? name)
  return rank === -1 ? null : rank
}

function part(object: LogConfiguration, key: string): LogConfiguration {
  const value = object[key]
  return typeof value === 'object' && value !== null ? (value as LogConfiguration) : {}
}
