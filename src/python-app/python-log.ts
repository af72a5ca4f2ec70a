import type { LogLevel } from '../logging/error-log.ts'
import { processLog } from '../logging/process-log.ts'
import { fromElsewhere } from '../messages/coded.ts'
import { type PoolLog, poolLog } from '../runtimes/workers/pool-log.ts'
import { messageOf } from '../wsgi/stranger.ts'

/** An entry in the log of a Python application. */
export interface PythonLogEntry {
  /** The worker's process; this process if the entry is about all workers. */
  readonly pid: number
  /**
   * The stream that the application has printed to (`wsgi.errors` is its stderr); `server` for
   * messages of the worker or its pool.
   */
  readonly source: 'stdout' | 'stderr' | 'server'
  readonly level: LogLevel
  /**
   * A line of output, without its line end, or a text of several lines (a traceback). It is not
   * escaped.
   */
  readonly text: string
}

/** Takes the entries. */
export type PythonLog = (entry: PythonLogEntry) => void

/** Writes to the error log of the server in this process, or else to standard error. */
export const logToProcess: PythonLog = ({ pid, source, level, text }) => {
  const log = processLog()
  if (source === 'server') log.log(level, fromElsewhere(text), pid)
  else log.forWorker(pid).output(source, text)
}

/**
 * Makes a pool's log of a function that takes entries. If that throws, it must neither end the
 * process nor stop what is being read from a worker.
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
