import { LineSplitter } from '../../logging/application-output.ts'
import { type LogLevel, levelOfPython } from '../../logging/log-level.ts'
import { WholeLines } from '../../logging/whole-lines.ts'
import type { Coded } from '../../messages/coded.ts'
import type { DEBUG, INFO } from './log-levels.ts'

/** Where a pool and its workers log. The levels are those of Python's logging. */
export interface PoolLog {
  /** `pid` if the entry is about one worker. */
  log(level: typeof DEBUG | typeof INFO, text: string, pid?: number): void
  log(level: number, text: Coded, pid?: number): void
  /** Output of the application; null when that stream has ended. */
  output(pid: number, stream: 'stdout' | 'stderr', chunk: Buffer | null): void
}

/** Takes the entries of a pool's log. */
export interface PoolLogTarget {
  /** An entry of a worker, or of the pool itself. */
  log(level: LogLevel, text: Coded, pid: number | undefined): void
  /** A line that the application printed, without its line end. */
  output(pid: number, source: 'stdout' | 'stderr', line: string): void
  /** Takes output as it is instead, any number of whole lines. */
  raw?: ((pid: number, source: 'stdout' | 'stderr', lines: Buffer) => void) | null
}

/** Makes a pool's log that cuts output into lines and names levels. */
export function poolLog(target: PoolLogTarget): PoolLog {
  const splitters = new Map<string, LineSplitter | WholeLines>()
  const { raw } = target
  return {
    log: (level, text, pid) => target.log(levelOfPython(level), text as Coded, pid),
    output: (pid, source, chunk) => {
      const key = `${pid} ${source}`
      let splitter = splitters.get(key)
      if (chunk === null) {
        splitter?.end()
        splitters.delete(key)
        return
      }
      if (splitter === undefined) {
        splitter = raw
          ? new WholeLines((lines) => raw(pid, source, lines))
          : new LineSplitter((line) => target.output(pid, source, line))
        splitters.set(key, splitter)
      }
      splitter.push(chunk)
    },
  }
}
