/** A block of code on a page. */
export interface PageBlock {
  /** The line of its first fence, counted from 1. */
  readonly line: number
  readonly language: string
  /**
   * What stands behind the language, where readers do not see it: `run`, `file=app.ts`. A mark
   * without a value has the value `''`.
   */
  readonly marks: ReadonlyMap<string, string>
  readonly text: string
}

/** The blocks of a page, also indented ones. @throws Error for a block without an end */
export function pageBlocks(markdown: string): PageBlock[] {
  const blocks: PageBlock[] = []
  let open: { line: number; indent: string; info: string; lines: string[] } | null = null
  for (const [index, line] of markdown.split('\n').entries()) {
    if (open === null) {
      const [, indent, info] = /^( *)```(.*)$/.exec(line) ?? []
      if (info !== undefined) open = { line: index + 1, indent: indent!, info, lines: [] }
    } else if (line === `${open.indent}\`\`\``) {
      const [language = '', ...marks] = open.info.trim().split(/ +/)
      blocks.push({
        line: open.line,
        language,
        marks: new Map(marks.map(parseMark)),
        text: open.lines.map((text) => `${text}\n`).join(''),
      })
      open = null
    } else open.lines.push(line.slice(open.indent.length))
  }
  if (open !== null) throw new Error(`line ${open.line}: a block without an end`)
  return blocks
}

function parseMark(mark: string): [string, string] {
  const equals = mark.indexOf('=')
  return equals < 0 ? [mark, ''] : [mark.slice(0, equals), mark.slice(equals + 1)]
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
