import { excerptAt, pathOf, type SourceExcerpt } from '../../source-code/excerpt.ts'

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

const FRAME = /^at (?:(.*) \()?((?:[a-z]+:|[A-Za-z]:\\|\/|[^\s(]).*?):(\d+):(\d+)\)?$/
const SOURCE_FILE = /\.[cm]?[jt]sx?$/
const LINES_AROUND = 5

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

function originOf(file: string): StackFrame['origin'] {
  if (file.startsWith('node:') || file.startsWith('<') || !/[/\\]/.test(file)) return 'node'
  return /[/\\]node_modules[/\\]/.test(file) ? 'library' : 'application'
}

/** The source lines around a frame; null if its file cannot be read, or is not source code. */
export function sourceExcerpt(frame: StackFrame): SourceExcerpt | null {
  if (!/^(?:\/|[A-Za-z]:\\)/.test(frame.file)) return null
  return excerptAt(frame, SOURCE_FILE, LINES_AROUND)
}
