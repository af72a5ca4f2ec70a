import type { ErrorLog } from '../logging/error-log.ts'
import type { LogLevel } from '../logging/log-level.ts'
import type { DriverLog } from './actions.ts'

/** The arbiter's error log. A reload may have it continue in another file. */
export class ServerLog implements DriverLog {
  /** The log of the settings that serve. */
  current: ErrorLog

  constructor(log: ErrorLog) {
    this.current = log
  }

  log(level: LogLevel, text: string): void {
    this.current.log(level, text)
  }

  debug(text: string): void {
    this.current.debug(text)
  }

  info(text: string): void {
    this.current.info(text)
  }

  warning(text: string): void {
    this.current.warning(text)
  }

  error(text: string): void {
    this.current.error(text)
  }

  critical(text: string): void {
    this.current.critical(text)
  }
}
