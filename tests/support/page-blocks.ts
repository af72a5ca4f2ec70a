import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A block of code on a page. */
export interface PageBlock {
  /** The line of its first fence, counted from 1. */
  readonly line: number
  /** The heading of the second level above it; empty if there is none. */
  readonly section: string
  readonly language: string
  /**
   * What stands behind the language, where readers do not see it: `run`, `file=app.ts`. A mark
   * without a value has the value `''`.
   */
  readonly marks: ReadonlyMap<string, string>
  readonly text: string
}

/** A block that is open while its page is read. */
interface OpenBlock {
  readonly line: number
  readonly indent: string
  readonly info: string
  readonly lines: string[]
}

/** The blocks of a page, also indented ones. @throws Error for a block without an end */
export function pageBlocks(markdown: string): PageBlock[] {
  return readPage(markdown).blocks
}

/** The blocks of a file. @param path from the root of the repository */
export function blocksOf(path: string): PageBlock[] {
  return pageBlocks(readFileSync(join(import.meta.dirname, '..', '..', path), 'utf8'))
}

/** The text of a page with a blank line for each line of a block: lines keep their numbers. */
export function withoutBlocks(markdown: string): string {
  return readPage(markdown).prose
}

function readPage(markdown: string): { blocks: PageBlock[]; prose: string } {
  const blocks: PageBlock[] = []
  const prose: string[] = []
  let section = ''
  let open: OpenBlock | null = null
  for (const [index, line] of markdown.split('\n').entries()) {
    if (open === null) {
      const fence = /^( *)```(.*)$/.exec(line)
      prose.push(fence === null ? line : '')
      if (fence !== null) open = { line: index + 1, indent: fence[1]!, info: fence[2]!, lines: [] }
      else if (line.startsWith('## ')) section = line.slice('## '.length)
      continue
    }
    prose.push('')
    if (line === `${open.indent}\`\`\``) {
      blocks.push({ section, ...closed(open) })
      open = null
    } else open.lines.push(line.slice(open.indent.length))
  }
  if (open !== null) throw new Error(`line ${open.line}: a block without an end`)
  return { blocks, prose: prose.join('\n') }
}

function closed({ line, info, lines }: OpenBlock): Omit<PageBlock, 'section'> {
  const [language = '', ...marks] = info.trim().split(/ +/)
  const text = lines.map((each) => `${each}\n`).join('')
  return { line, language, marks: new Map(marks.map(parseMark)), text }
}

function parseMark(mark: string): [string, string] {
  const equals = mark.indexOf('=')
  return equals < 0 ? [mark, ''] : [mark.slice(0, equals), mark.slice(equals + 1)]
}

/**
 * The texts of the blocks that are marked with `file=NAME`, by their names.
 *
 * @throws Error where two have the same name
 */
export function filesOnPage(blocks: readonly PageBlock[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const { line, marks, text } of blocks) {
    const name = marks.get('file')
    if (name === undefined) continue
    if (files.has(name)) throw new Error(`line ${line}: ${name} is there twice`)
    files.set(name, text)
  }
  return files
}

/** A command of a console block, and what it prints. */
export interface ConsoleCommand {
  readonly command: string
  readonly output: string
}

/**
 * The commands of a console block: lines that begin with `$ `, which a `\` at the end continues on
 * the next line. What is printed stands below each.
 *
 * @throws Error if the block begins with something else
 */
export function consoleCommands(text: string): ConsoleCommand[] {
  const commands: { command: string; output: string }[] = []
  let continues = false
  for (const line of text.split('\n').slice(0, -1)) {
    const last = commands.at(-1)
    if (continues) last!.command += `\n${line}`
    else if (line.startsWith('$ ')) commands.push({ command: line.slice(2), output: '' })
    else if (last === undefined) throw new Error(`not a command ($ …): ${line}`)
    else last.output += `${line}\n`
    continues = (continues || line.startsWith('$ ')) && line.endsWith('\\')
  }
  return commands
}
