import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One call in a stack. */
export interface StackFrame {
  /** The line of the stack, without its indentation. */
  readonly text: string
  /** The name of the function; `''` if it has none. */
  readonly name: string
  /** A path, or the name of a module; `''` if there is none. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** `application`: neither a module of Node.js nor a file in `node_modules`. */
  readonly origin: 'application' | 'library' | 'node'
}

/** Lines of a source file around a call. */
export interface SourceExcerpt {
  /** The number of the first line. */
  readonly first: number
  readonly lines: readonly string[]
}

const FRAME = /^at (?:(.*) \()?((?:[a-z]+:|[A-Za-z]:\\|\/|[^\s(]).*?):(\d+):(\d+)\)?$/
const SOURCE_FILE = /\.[cm]?[jt]sx?$/
const LARGEST_SOURCE = 2 * 1024 * 1024
const LINES_AROUND = 5
const LONGEST_LINE = 300

/**
 * The frames of a stack, innermost first. There are none if the stack does not contain the message,
 * because then it is unknown where the message ends.
 *
 * A message may quote text of a client that looks like a frame. Such a line must not make the page
 * show a file.
 */
export function stackFrames(stack: string, message: string): StackFrame[] {
  const at = stack.indexOf(message)
  if (at === -1) return []
  const frames: StackFrame[] = []
  for (const line of stack.slice(at + message.length).split('\n')) {
    const text = line.trim()
    if (text.startsWith('at ')) frames.push(frameOf(text))
  }
  return frames
}

function frameOf(text: string): StackFrame {
  const match = FRAME.exec(text)
  if (match === null)
    return { text, name: text.slice(3), file: '', line: 0, column: 0, origin: 'node' }
  const file = pathOf(match[2]!.replace(/^async /, ''))
  return {
    text,
    name: (match[1] ?? '').replace(/^async /, ''),
    file,
    line: Number(match[3]),
    column: Number(match[4]),
    origin: originOf(file),
  }
}

/** The path of a file URL, without the query that loaders add to reload a file. */
function pathOf(place: string): string {
  if (!place.startsWith('file:')) return place
  try {
    return fileURLToPath(place.replace(/[?#].*$/, ''))
  } catch {
    return place
  }
}

function originOf(file: string): StackFrame['origin'] {
  if (file.startsWith('node:') || file.startsWith('<') || !/[/\\]/.test(file)) return 'node'
  return /[/\\]node_modules[/\\]/.test(file) ? 'library' : 'application'
}

/** The source lines around a frame; null if its file cannot be read, or is not source code. */
export function sourceExcerpt(frame: StackFrame): SourceExcerpt | null {
  if (frame.line < 1 || !/^(?:\/|[A-Za-z]:\\)/.test(frame.file) || !SOURCE_FILE.test(frame.file))
    return null
  const source = readSource(frame.file)
  if (source === null) return null
  const lines = source.split(/\r?\n/)
  if (frame.line > lines.length) return null
  const first = Math.max(1, frame.line - LINES_AROUND)
  return {
    first,
    lines: lines
      .slice(first - 1, frame.line + LINES_AROUND)
      .map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line)),
  }
}

function readSource(path: string): string | null {
  let descriptor: number
  try {
    // Without O_NONBLOCK, a FIFO with this name would block the process.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch {
    return null
  }
  try {
    const facts = fstatSync(descriptor)
    if (!facts.isFile() || facts.size > LARGEST_SOURCE) return null
    return readFileSync(descriptor, 'utf8')
  } catch {
    return null
  } finally {
    closeSync(descriptor)
  }
}
