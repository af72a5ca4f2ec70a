import { LineSplitter } from '../../logging/application-output.ts'
import type { LogLevel } from '../../logging/error-log.ts'
import type { PoolLog } from './pool.ts'

/** What takes what a pool and its workers have to say. */
export interface PoolLogTarget {
  /** Something that a worker, or the pool itself, says. */
  log(level: LogLevel, text: string, pid: number | undefined): void
  /** A line that the application has printed, without its line end. */
  output(pid: number, source: 'stdout' | 'stderr', line: string): void
}

/** A pool's log that cuts output into lines and names levels. */
export function poolLog(target: PoolLogTarget): PoolLog {
  const splitters = new Map<string, LineSplitter>()
  return {
    log: (level, text, pid) => target.log(levelName(level), text, pid),
    output: (pid, source, chunk) => {
      const key = `${pid} ${source}`
      let splitter = splitters.get(key)
      if (chunk === null) {
        splitter?.end()
        splitters.delete(key)
        return
      }
      if (splitter === undefined) {
        splitter = new LineSplitter((line) => target.output(pid, source, line))
        splitters.set(key, splitter)
      }
      splitter.push(chunk)
    },
  }
}

/** The numbers are those of Python's logging. */
function levelName(level: number): LogLevel {
  if (level >= 50) return 'critical'
  if (level >= 40) return 'error'
  if (level >= 30) return 'warning'
  return level >= 20 ? 'info' : 'debug'
}
