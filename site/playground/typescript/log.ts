import type { LogEntry } from '../protocol.ts'

/** The most that is kept, in characters. */
const LIMIT = 64 * 1024

/** What is written in the worker, in order. */
class Log {
  #entries: { from: LogEntry['from']; text: string }[] = []
  #size = 0

  add(from: LogEntry['from'], given: string): void {
    if (this.#size > LIMIT) return
    this.#size += given.length
    const text = this.#size > LIMIT ? '… (the rest of the log is left out)\n' : given
    const last = this.#entries.at(-1)
    if (last?.from === from) last.text += text
    else this.#entries.push({ from, text })
  }

  /** The entries since the last call. */
  take(): LogEntry[] {
    const taken = this.#entries
    this.#entries = []
    this.#size = 0
    return taken
  }
}

export const log = new Log()

/** Lets the console, and Node's `process`, write to the log. */
export function takeConsole(): void {
  const write =
    (from: LogEntry['from']) =>
    (...values: unknown[]) =>
      log.add(from, `${values.map(asText).join(' ')}\n`)
  for (const method of ['log', 'info', 'debug'] as const) console[method] = write('stdout')
  for (const method of ['warn', 'error', 'trace'] as const) console[method] = write('stderr')
  const stream = (from: LogEntry['from']) => ({
    write: (data: string | Uint8Array) => {
      log.add(from, typeof data === 'string' ? data : new TextDecoder().decode(data))
      return true
    },
  })
  Object.assign(globalThis, {
    process: { env: {}, argv: [], stdout: stream('stdout'), stderr: stream('stderr') },
  })
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Error) return value.stack ?? String(value)
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return String(value)
  }
}
