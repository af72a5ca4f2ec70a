import type { LogLevel } from '../logging/error-log.ts'
import { processLog } from '../logging/process-log.ts'
import { type PoolLog, poolLog } from '../runtimes/workers/pool-log.ts'
import { messageOf } from '../wsgi/stranger.ts'

/** Something for the log of a Python application. */
export interface PythonLogEntry {
  /** The worker's process, or our own where it is about all of them. */
  readonly pid: number
  /**
   * Where the application has printed it (`wsgi.errors` is its stderr), or `server` for what the
   * worker or its pool says.
   */
  readonly source: 'stdout' | 'stderr' | 'server'
  readonly level: LogLevel
  /**
   * A line of output, without its line end, or a text that may have several (a traceback). It is
   * not escaped.
   */
  readonly text: string
}

/** Where that goes. */
export type PythonLog = (entry: PythonLogEntry) => void

/** To the error log of the server in this process, else to standard error in the same form. */
export const logToProcess: PythonLog = ({ pid, source, level, text }) => {
  const log = processLog()
  if (source === 'server') log.log(level, text, pid)
  else log.forWorker(pid).output(source, text)
}

/**
 * What a pool says as entries. A log that throws must not end the process, nor what is being read
 * from a worker.
 */
export function entriesOfPool(log: PythonLog): PoolLog {
  const write = (entry: PythonLogEntry) => {
    try {
      log(entry)
    } catch (error) {
      logToProcess(entry)
      const text = `The option log of pythonApp threw: ${messageOf(error)}`
      logToProcess({ pid: process.pid, source: 'server', level: 'error', text })
    }
  }
  return poolLog({
    log: (level, text, pid = process.pid) => write({ pid, source: 'server', level, text }),
    output: (pid, source, text) => write({ pid, source, level: 'info', text }),
  })
}
