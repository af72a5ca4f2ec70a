import { ErrorLog } from './error-log.ts'

let log: ErrorLog | null = null

/** Makes this the error log of the process: of everything in it that has not been given one. */
export function setProcessLog(errorLog: ErrorLog): void {
  log = errorLog
}

/** The error log of the process: that of the server in it, else one that goes to standard error. */
export function processLog(): ErrorLog {
  log ??= new ErrorLog({ file: '-', level: 'info' })
  return log
}
