/** What the settings say about the logs, for those who open them. */
import { knownAtoms } from '../logging/access-atoms.ts'
import { unknownAtoms } from '../logging/access-format.ts'
import type { ErrorLogOptions } from '../logging/error-log.ts'
import { parseStatsdAddress } from '../logging/statsd-address.ts'
import type { SyslogOptions } from '../logging/syslog.ts'
import { parseSyslogAddress } from '../logging/syslog-address.ts'
import type { GivenValue } from './command-line.ts'
import { isPythonConfiguration } from './python-configuration.ts'
import type { Settings } from './table.ts'

/** For the error log of the arbiter, or of an acceptor. */
export function errorLogOptions(settings: Settings): ErrorLogOptions {
  return {
    file: settings.errorLogfile,
    level: settings.logLevel,
    format: settings.errorLogFormat,
    rawOutput: rawOutput(settings),
    syslog: syslogOptions(settings, 'error'),
  }
}

/** Whether the newest entries of the error log are kept, for those who may ask for them. */
export function keepsLog({ controlSocketDisable, metricsBind }: Settings): boolean {
  return !controlSocketDisable || metricsBind.length > 0
}

/** For one of the logs; null if it does not go to syslog. */
export function syslogOptions(settings: Settings, log: 'access' | 'error'): SyslogOptions | null {
  if (!settings.syslog) return null
  if (log === 'access' && settings.disableRedirectAccessToSyslog) return null
  const { syslogPrefix, procName, defaultProcName, wsgiApp, syslogFacility, python, chdir } =
    settings
  const name = procName ?? defaultProcName ?? wsgiApp
  const prefix = syslogPrefix ?? name.replaceAll(':', '.')
  return {
    // The rule of the setting has made sure that it can be read.
    address: parseSyslogAddress(settings.syslogAddr)!,
    facility: syslogFacility,
    tag: `gunicorn.${prefix}.${log}`,
    python,
    chdir,
  }
}

/** Notes on the access log's format. */
export function notesOnAccessFormat(
  { accessLogFormat }: Settings,
  given: (name: string) => GivenValue | undefined,
): string[] {
  const unknown = unknownAtoms(accessLogFormat)
  if (unknown.length === 0) return []
  const label = given('access_log_format')?.label ?? 'access_log_format'
  return [
    `${label}: there is no atom ${unknown.join(' ')}, so each line has - there; ` +
      `the known ones are ${knownAtoms()}`,
  ]
}

/** Where what the application prints goes as it is; null if it becomes entries of the error log. */
export function rawOutput(settings: Settings): 'file' | 'streams' | null {
  if (settings.captureOutput === 'raw') return 'file'
  // As in Gunicorn, where the application has the streams of the server.
  return settings.captureOutput === 'auto' && hasLogConfiguration(settings) ? 'streams' : null
}

/** Whether the user configures Python's logging. */
export function hasLogConfiguration(settings: Settings): boolean {
  const { logconfig, logconfigJson, logconfigDict } = settings
  return logconfig !== null || logconfigJson !== null || Object.keys(logconfigDict).length > 0
}

/** What workers need for Python's logging; a part of START. */
export function workerLogging(settings: Settings): WorkerLogging {
  const { logLevel: level, logconfig, logconfigJson, logconfigDict, config } = settings
  const basics = { level, ...statsdOf(settings) }
  if (!hasLogConfiguration(settings)) return basics
  const given = Object.keys(logconfigDict).length > 0
  // Its objects exist only in Python, so each worker runs the configuration again.
  const runs = given && config !== null && isPythonConfiguration(config)
  return {
    ...basics,
    ...(given ? { dict: logconfigDict } : {}),
    ...(logconfigJson === null ? {} : { json: logconfigJson }),
    ...(logconfig === null ? {} : { file: logconfig }),
    ...(runs ? { location: config, directory: process.cwd() } : {}),
  }
}

function statsdOf({ statsdHost, statsdPrefix, dogstatsdTags }: Settings) {
  const address = statsdHost === null ? null : parseStatsdAddress(statsdHost)
  if (address === null) return {}
  return { statsd: { ...address, prefix: statsdPrefix, tags: dogstatsdTags } }
}

/** The logging of a worker, as START has it. */
export interface WorkerLogging {
  /** The level of the error log. */
  readonly level: string
  /** Where the metrics in log records go. */
  readonly statsd?: Readonly<Record<string, string | number>>
  /** The first of these counts. */
  readonly dict?: Readonly<Record<string, unknown>>
  readonly json?: string
  readonly file?: string
  /** The Gunicorn configuration that has the dictionary, and the directory in which it runs. */
  readonly location?: string
  readonly directory?: string
}
