/**
 * Reads the stacks that Python's faulthandler writes, and formats them as a traceback of the
 * application.
 */
import { readFileSync, statSync } from 'node:fs'
import { ownFile } from '../../own-files/own-files.ts'

interface Frame {
  readonly file: string
  readonly line: string
  readonly name: string
}

/** How many threads are shown beside the main one. */
const OTHER_THREADS = 8
/** Files larger than this are not read to show a line of them, in bytes. */
const MOST_SOURCE = 4 * 1024 * 1024

/**
 * The stack of the main thread, and of other threads that run code of the application: oldest call
 * first, with source lines, and without the frames of the server and of the import machinery.
 *
 * @param dump the output of `faulthandler` for one or more threads; the one that handled the signal
 * is the main thread
 * @returns null if there is no frame in it
 *
 * @example
 * const dump = 'Current thread 0x7f (most recent call first):\n  File "/srv/app.py", line 3 in f\n'
 * readStackDump(dump)
 * // 'Stack (most recent call last):\n  File "/srv/app.py", line 3, in f\n    while True: pass'
 */
export function readStackDump(dump: string): string | null {
  let main: Frame[] = []
  const others: Frame[][] = []
  let current: Frame[] | null = null
  for (const line of dump.split('\n')) {
    const thread = /^(Current t|T)hread .*\(most recent call first\):/.exec(line)
    if (thread !== null) {
      current = []
      if (thread[1] === 'T') others.push(current)
      else main = current
      continue
    }
    const frame = /^ {2}File "(.*)", line (\d+|\?\?\?) in (.*)$/.exec(line)
    if (frame !== null)
      current?.unshift({ file: unescaped(frame[1]!), line: frame[2]!, name: frame[3]! })
  }
  const sources = new Map<string, readonly string[]>()
  const shown = [
    format('Stack (most recent call last):', mainFrames(main), sources),
    ...others
      .map(applicationFrames)
      .filter((frames) => frames.length > 0)
      .slice(0, OTHER_THREADS)
      .map((frames) => format('Another thread (most recent call last):', frames, sources)),
  ]
  const text = shown.filter((part) => part !== '').join('\n')
  return text === '' ? null : text
}

/** If the import machinery itself waits, for example for a lock, only its frames are left. */
function mainFrames(frames: readonly Frame[]): readonly Frame[] {
  const application = applicationFrames(frames)
  return application.length > 0 ? application : frames.filter(({ file }) => !isServer(file))
}

function applicationFrames(frames: readonly Frame[]): Frame[] {
  return frames.filter(
    (frame) => !isServer(frame.file) && !isImport(frame.file) && !isThreadStart(frame),
  )
}

/** In the folder of Monoceros's Python files; a worker, too, has it as a real path. */
function isServer(file: string): boolean {
  return file.startsWith(ownFile('python/'))
}

/** The frames around the function of every thread. */
function isThreadStart({ file, name }: Frame): boolean {
  return file.endsWith('/threading.py') && ['_bootstrap', '_bootstrap_inner', 'run'].includes(name)
}

function isImport(file: string): boolean {
  return file.startsWith('<frozen importlib') || file.endsWith('/importlib/__init__.py')
}

function format(
  head: string,
  frames: readonly Frame[],
  sources: Map<string, readonly string[]>,
): string {
  if (frames.length === 0) return ''
  const lines = [head]
  for (const { file, line, name } of frames) {
    lines.push(`  File "${file}", line ${line}, in ${name}`)
    const source = sourceLine(file, Number(line), sources)
    if (source !== '') lines.push(`    ${source}`)
  }
  return lines.join('\n')
}

function sourceLine(file: string, line: number, sources: Map<string, readonly string[]>): string {
  if (!file.startsWith('/')) return ''
  let lines = sources.get(file)
  if (lines === undefined) {
    lines = readSource(file)
    sources.set(file, lines)
  }
  return (lines[line - 1] ?? '').trim().slice(0, 200)
}

function readSource(file: string): string[] {
  try {
    const found = statSync(file)
    return found.isFile() && found.size <= MOST_SOURCE ? readFileSync(file, 'utf8').split('\n') : []
  } catch {
    return [] // from an archive, or gone
  }
}

/** faulthandler writes what is not ASCII as `\xe9`, `\u20ac` or `\U0001f600`. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))/gi, (all, ...codes) => {
    const code = Number.parseInt(
      (codes as (string | undefined)[]).slice(0, 3).find((hex) => hex !== undefined)!,
      16,
    )
    return code <= 0x10ffff ? String.fromCodePoint(code) : all
  })
}
