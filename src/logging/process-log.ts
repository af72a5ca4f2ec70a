import { ErrorLog } from './error-log.ts'

let log: ErrorLog | null = null

/** Sets the error log of the process, for everything in it that has no log of its own. */
export function setProcessLog(errorLog: ErrorLog): void {
  log = errorLog
}

/** The error log of the process: the server's, or else one that writes to standard error. */
export function processLog(): ErrorLog {
  log ??= new ErrorLog({ file: '-', level: 'info' })
  return log
}
