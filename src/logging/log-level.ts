/** How important a log entry is, the least important first. */
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'

/** The levels as numbers, for comparisons; those of Python's `logging`. */
export const RANKS: Readonly<Record<LogLevel, number>> = {
  debug: 10,
  info: 20,
  warning: 30,
  error: 40,
  critical: 50,
}

/** The level that a number of Python's `logging` stands for. */
export function levelOfPython(number: number): LogLevel {
  const levels = Object.keys(RANKS) as LogLevel[]
  return levels.findLast((level) => number >= RANKS[level]) ?? 'debug'
}
