import { format } from 'node:util'
import { pythonFolder } from './package.ts'

/**
 * What an interpreter says when it breaks down, in words for people: Python's stack, and never
 * where in Pyodide's own source it was, which is a page of minified JavaScript.
 */
export interface InterpreterFailure {
  /** A line: `a stack overflow in compiled code (Maximum call stack size exceeded)`. */
  readonly reason: string
  /**
   * Where in Python it was, in a few lines that say what they are; empty where that is not known.
   */
  readonly place: string
  /** What the application asked to end with (`os._exit(3)`); null when it broke down. */
  readonly status: number | null
}

/** The beginning of what Pyodide prints before it prints the stack. */
const FATAL = 'Pyodide has suffered a fatal error'
const MOST_LINES = 60

// A thread has one interpreter.
let collected: Uint8Array[] | null = null

/**
 * Takes `console` from Pyodide, which prints errors there with all of their source. What an
 * application says there (`js.console.log`) goes to its standard error, errors as a line. Before
 * `loadPyodide`.
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
 * Whether what Python writes now is its stack after a breakdown; then it is kept for {@link
 * describeFailure}.
 */
export function collectStack(bytes: Uint8Array): boolean {
  if (collected === null) return false
  if (collected.length < 10_000) collected.push(bytes.slice())
  return true
}

/** What an error that Pyodide threw means. Python's own errors are described by their traceback. */
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
        line.startsWith('  File "') && !OURS.some((path) => line.startsWith(`  File "${path}`)),
    )
  if (lines.length <= MOST_LINES) return lines
  const half = MOST_LINES / 2
  return [...lines.slice(0, half), `  … ${lines.length - MOST_LINES} more …`, ...lines.slice(-half)]
}

const OURS = [`${pythonFolder}/`, '/lib/python314.zip/_pyodide/', '<exec>', '<frozen importlib']
