/** What the settings say about the logs, for those who open them. */
import type { ErrorLogOptions } from '../logging/error-log.ts'
import type { SyslogOptions } from '../logging/syslog.ts'
import { parseSyslogAddress } from '../logging/syslog-address.ts'
import type { Settings } from './table.ts'

/** For the error log of the arbiter, or of an acceptor. */
export function errorLogOptions(settings: Settings): ErrorLogOptions {
  return {
    file: settings.errorLogfile,
    level: settings.logLevel,
    format: settings.errorLogFormat,
    rawOutput: settings.captureOutput === 'raw',
    syslog: syslogOptions(settings, 'error'),
  }
}

/** For one of the logs; null if it does not go to syslog. */
export function syslogOptions(settings: Settings, log: 'access' | 'error'): SyslogOptions | null {
  if (!settings.syslog) return null
  if (log === 'access' && settings.disableRedirectAccessToSyslog) return null
  const { syslogPrefix, wsgiApp, syslogFacility, python, chdir } = settings
  return {
    // The rule of the setting has made sure that it can be read.
    address: parseSyslogAddress(settings.syslogAddr)!,
    facility: syslogFacility,
    tag: `gunicorn.${syslogPrefix ?? wsgiApp.replaceAll(':', '.')}.${log}`,
    python,
    chdir,
  }
}
