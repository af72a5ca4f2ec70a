import type { ErrorLog } from '../logging/error-log.ts'
import type { LogLevel } from '../logging/log-level.ts'
import { LogTail } from '../logging/log-tail.ts'
import type { Coded } from '../messages/coded.ts'
import type { DriverLog } from './actions.ts'

/** The arbiter's error log. A reload may have it continue in another file. */
export class ServerLog implements DriverLog {
  #current: ErrorLog
  #tail: LogTail | null = null

  constructor(log: ErrorLog) {
    this.#current = log
  }

  /** The log of the settings that serve. */
  get current(): ErrorLog {
    return this.#current
  }

  set current(log: ErrorLog) {
    this.#current = log
    this.#tail?.follow(log)
  }

  /** The newest entries; null unless {@link keep} was called. */
  get tail(): LogTail | null {
    return this.#tail
  }

  /** Keeps the newest entries from now on. */
  keep(): void {
    this.#tail ??= new LogTail(this.#current)
  }

  log(level: LogLevel, text: Coded): void {
    this.current.log(level, text)
  }

  debug(text: string): void {
    this.current.debug(text)
  }

  info(text: string): void {
    this.current.info(text)
  }

  warning(text: Coded): void {
    this.current.warning(text)
  }

  error(text: Coded): void {
    this.current.error(text)
  }

  critical(text: Coded): void {
    this.current.critical(text)
  }
}
