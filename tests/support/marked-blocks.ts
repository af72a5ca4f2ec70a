/** A block of code on a page. */
export interface MarkedBlock {
  /** The heading of the second level above it. */
  readonly section: string
  /** The file that it is, as the page names it; null for commands. */
  readonly file: string | null
  readonly text: string
}

/**
 * The blocks of a page that are marked behind their language, where readers do not see it: with
 * `file=PATH` as a file, or with `run` as commands.
 */
export function markedBlocks(markdown: string): MarkedBlock[] {
  const blocks: MarkedBlock[] = []
  let section = ''
  let inside: { file: string | null; marked: boolean; lines: string[] } | null = null
  for (const line of markdown.split('\n')) {
    if (inside !== null) {
      if (line !== '```') inside.lines.push(`${line}\n`)
      else {
        if (inside.marked) blocks.push({ section, file: inside.file, text: inside.lines.join('') })
        inside = null
      }
    } else if (line.startsWith('```')) {
      const [, ...marks] = line.slice(3).split(' ')
      const file = marks.find((mark) => mark.startsWith('file='))?.slice(5) ?? null
      inside = { file, marked: file !== null || marks.includes('run'), lines: [] }
    } else if (line.startsWith('## ')) section = line.slice(3)
  }
  return blocks
}

/** A command of a block, and the lines below it. */
export interface ShownCommand {
  readonly command: string
  readonly output: string
}

export function shownCommands(block: string): ShownCommand[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf('\n')
      return { command: text.slice(0, end), output: text.slice(end + 1) }
    })
}
