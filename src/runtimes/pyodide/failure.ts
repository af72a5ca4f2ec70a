import { format } from 'node:util'
import { pythonFolder } from './package.ts'

/**
 * Why an interpreter broke down, for a person who reads the log: with Python's stack, and never
 * with a place in Pyodide's source, which is a page of minified JavaScript.
 */
export interface InterpreterFailure {
  /** One line: `a stack overflow in compiled code (Maximum call stack size exceeded)`. */
  readonly reason: string
  /** Python's stack, with a line of introduction; empty if it is not known. */
  readonly place: string
  /** The exit status that the application chose (`os._exit(3)`); null if it broke down. */
  readonly status: number | null
}

/** The beginning of the line that Pyodide prints before the stack. */
const FATAL = 'Pyodide has suffered a fatal error'
const MOST_LINES = 60

// One for the thread, which has one interpreter.
let collected: Uint8Array[] | null = null

/**
 * Replaces the methods of `console`, where Pyodide prints errors with all of their source. What an
 * application prints there (`js.console.log`) goes to its standard error, with each error as one
 * line. Call it before `loadPyodide`.
 */
export function takeConsole(write: (bytes: Uint8Array) => void): void {
  const say = (...values: unknown[]) => {
    const [first] = values
    if (typeof first === 'string' && first.startsWith(FATAL)) collected = []
    if (collected !== null) return
    const shown = values.map((value) => (value instanceof Error ? describe(value) : value))
    write(Buffer.from(`${format(...shown).slice(0, 10_000)}\n`))
  }
  for (const method of ['log', 'info', 'debug', 'warn', 'error', 'trace'] as const)
    console[method] = say
}

/**
 * Takes Python's output if it is the stack after a breakdown, for {@link describeFailure}.
 *
 * @returns whether it took the bytes
 */
export function collectStack(bytes: Uint8Array): boolean {
  if (collected === null) return false
  if (collected.length < 10_000) collected.push(bytes.slice())
  return true
}

/** Describes an error that Pyodide threw. An error of Python is described by its traceback. */
export function describeFailure(error: unknown): InterpreterFailure {
  const stack = stackLines(Buffer.concat(collected ?? []).toString('utf8'))
  const place = stack.length === 0 ? '' : ['Stack (most recent call first):', ...stack].join('\n')
  if (!(error instanceof Error)) return { reason: describe(error), place, status: null }
  const { name, message } = error
  if (name === 'PythonError') {
    const traceback = message.trimEnd()
    return { reason: traceback.split('\n').at(-1) ?? '', place: traceback, status: null }
  }
  if (name === 'Exit' || name === 'ExitStatus') {
    const { status } = error as Error & { status?: number }
    return { reason: describe(error), place: '', status: status ?? 1 }
  }
  return { reason: `${meaning(error)} (${describe(error)})`, place, status: null }
}

function meaning({ name, message }: Error): string {
  if (name === 'RangeError' && message.includes('call stack'))
    return 'a stack overflow in compiled code'
  if (name !== 'RuntimeError') return 'a fatal error of the interpreter'
  if (message.includes('unreachable')) return 'it aborted itself'
  if (
    message.includes('memory access') ||
    message.includes('table index') ||
    message.includes('signature')
  )
    return 'an invalid access to memory in compiled code'
  return 'a fatal error in compiled code'
}

/** `RangeError: Maximum call stack size exceeded` */
function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  const line = text.split('\n', 1)[0] ?? ''
  return line.length > 300 ? `${line.slice(0, 300)}…` : line
}

/** `  File "/srv/site/app.py", line 12 in application` */
function stackLines(text: string): string[] {
  const lines = text
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('  File "') &&
        !OWN_PATHS.some((path) => line.startsWith(`  File "${path}`)),
    )
  if (lines.length <= MOST_LINES) return lines
  const half = MOST_LINES / 2
  const omitted = `  … ${lines.length - MOST_LINES} more …`
  return [...lines.slice(0, half), omitted, ...lines.slice(-half)]
}

const OWN_PATHS = [
  `${pythonFolder}/`,
  '/lib/python314.zip/_pyodide/',
  '<exec>',
  '<frozen importlib',
]
