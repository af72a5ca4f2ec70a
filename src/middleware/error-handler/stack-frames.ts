import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One call in a stack. */
export interface StackFrame {
  /** The line of the stack, without its indentation. */
  readonly text: string
  /** What was called; `''` where it has no name. */
  readonly name: string
  /** A path, or the module's name; `''` where there is none. */
  readonly file: string
  readonly line: number
  readonly column: number
  /** `application`: neither of Node.js nor below a `node_modules`. */
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
 * The frames of an error's stack, innermost first; none where the stack does not hold the error's
 * message, for then where the message ends and the frames begin is anybody's guess.
 *
 * A message may quote what a client sent, and a client may send what looks like a frame: such lines
 * must not lead to a file.
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

/** Without `file://`, and without the query that loaders add to load a file anew. */
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

/** The lines around a frame's; null where its file is no source that can be read. */
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
    // Or a FIFO of that name would hold up the whole process.
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
