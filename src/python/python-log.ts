import { LineSplitter } from '../logging/application-output.ts'
import { ErrorLog, type LogLevel } from '../logging/error-log.ts'
import type { PoolLog } from '../runtimes/cpython/pool.ts'

/** Something for the log of a Python application. */
export interface PythonLogEntry {
  /** The worker's process, or our own where it is about all of them. */
  readonly pid: number
  /** Where the application has printed it (`wsgi.errors` is its stderr), or `server` for what the worker or its pool says. */
  readonly source: 'stdout' | 'stderr' | 'server'
  readonly level: LogLevel
  /** A line of output, without its line end, or a text that may have several (a traceback). It is not escaped. */
  readonly text: string
}

/** Where that goes. */
export type PythonLog = (entry: PythonLogEntry) => void

let standardLog: ErrorLog | null = null

/** To standard error, as the server's error log. */
export const logToStandardError: PythonLog = ({ pid, source, level, text }) => {
  standardLog ??= new ErrorLog({ file: '-', level: 'info' })
  if (source === 'server') standardLog.log(level, text, pid)
  else standardLog.forWorker(pid).output(source, text)
}

/** What a pool says as entries. A log that throws must not end the process, nor what is being read from a worker. */
export function poolLog(log: PythonLog): PoolLog {
  const write = (entry: PythonLogEntry) => {
    try {
      log(entry)
    } catch (error) {
      logToStandardError(entry)
      const text = `The option log of pythonApp threw: ${error instanceof Error ? error.message : String(error)}`
      logToStandardError({ pid: process.pid, source: 'server', level: 'error', text })
    }
  }
  const splitters = new Map<string, LineSplitter>()
  return {
    log: (level, text, pid = process.pid) => write({ pid, source: 'server', level: levelName(level), text }),
    output: (pid, source, chunk) => {
      const key = `${pid} ${source}`
      let splitter = splitters.get(key)
      if (chunk === null) {
        splitter?.end()
        splitters.delete(key)
        return
      }
      if (splitter === undefined) {
        splitter = new LineSplitter((text) => write({ pid, source, level: 'info', text }))
        splitters.set(key, splitter)
      }
      splitter.push(chunk)
    },
  }
}

function levelName(level: number): LogLevel {
  if (level >= 50) return 'critical'
  if (level >= 40) return 'error'
  if (level >= 30) return 'warning'
  return level >= 20 ? 'info' : 'debug'
}
