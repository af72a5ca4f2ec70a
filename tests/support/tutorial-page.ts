/**
 * A page whose code is run. What a block is stands behind its language, where readers do not see
 * it:
 *
 * - `python file=hello.py`, `ts file=hello.ts`: a file of the reader's folder;
 * - `console run`: commands (`$ …`) that run to their end, each with what it prints below it;
 * - `console serve=NAME`: the command that starts a server, with lines of its log; it lasts until
 *   its name is given again, or the section ends;
 * - `console ask`, `console ask=NAME`: commands for every server that is up, or for one.
 *
 * In what is printed `…` stands for anything in a line, and a line of `…` alone for any lines.
 * Servers on the page listen at port 8000.
 */
export interface Page {
  sections: Section[]
}

/** What is below one heading of the second level. */
export interface Section {
  title: string
  blocks: Block[]
}

export type Block =
  | { kind: 'file'; line: number; name: string; text: string }
  | { kind: 'run'; line: number; commands: Command[] }
  | { kind: 'serve'; line: number; server: string; command: Command }
  | { kind: 'ask'; line: number; server: string | null; commands: Command[] }

/** A command and what it prints. */
export interface Command {
  command: string
  output: string
}

/** @throws Error that names the line, for a block that would not be run */
export function parsePage(markdown: string): Page {
  const sections: Section[] = []
  let block: { line: number; info: string; text: string } | null = null
  for (const [index, line] of markdown.split('\n').entries()) {
    if (block !== null) {
      if (line !== '```') {
        block.text += `${line}\n`
        continue
      }
      const section = sections.at(-1)
      if (section === undefined)
        throw new Error(`line ${block.line}: a block before the first section`)
      section.blocks.push(parseBlock(block))
      block = null
    } else if (line.startsWith('```')) block = { line: index + 1, info: line.slice(3), text: '' }
    else if (line.startsWith('## ')) sections.push({ title: line.slice(3), blocks: [] })
  }
  if (block !== null) throw new Error(`line ${block.line}: a block without an end`)
  return { sections }
}

/** The files of a page by name. @throws Error where two have the same name */
export function filesOf(page: Page): Map<string, string> {
  const files = new Map<string, string>()
  for (const block of page.sections.flatMap(({ blocks }) => blocks)) {
    if (block.kind !== 'file') continue
    if (files.has(block.name)) throw new Error(`line ${block.line}: ${block.name} is there twice`)
    files.set(block.name, block.text)
  }
  return files
}

function parseBlock({ line, info, text }: { line: number; info: string; text: string }): Block {
  const [language = '', attribute = '', ...more] = info.split(' ')
  const [kind, value] = attribute.split('=', 2)
  const wrong = (why: string) => new Error(`line ${line}: the block "${info}" ${why}`)
  if (more.length > 0) throw wrong('has more than one attribute')
  if (kind === 'file' && (language === 'python' || language === 'ts')) {
    if (!/^[a-z]+\.(py|ts)$/.test(value ?? '')) throw wrong('needs the name of a file')
    return { kind, line, name: value!, text }
  }
  if (language !== 'console') throw wrong('is of no known kind, so nobody would run it')
  const commands = parseCommands(text)
  if (commands === null) throw wrong('must begin with a command ($ …)')
  if (kind === 'run' && value === undefined) return { kind, line, commands }
  if (kind === 'ask') return { kind, line, server: value ?? null, commands }
  if (kind === 'serve' && value !== undefined) {
    if (commands.length !== 1) throw wrong('must have one command')
    return { kind, line, server: value, command: commands[0]! }
  }
  throw wrong('is of no known kind, so nobody would run it')
}

function parseCommands(text: string): Command[] | null {
  const commands: Command[] = []
  for (const line of text.split('\n').slice(0, -1)) {
    const last = commands.at(-1)
    if (line.startsWith('$ ')) commands.push({ command: line.slice(2), output: '' })
    else if (last === undefined) return null
    else last.output += `${line}\n`
  }
  return commands.length === 0 ? null : commands
}

/**
 * Whether what was printed is what the page shows: all of it, or (`within`) its lines among others,
 * in their order.
 */
export function outputMatches(
  shown: string,
  printed: string,
  where: 'all' | 'within' = 'all',
): boolean {
  const gap = '(?:.*\\n)*?'
  const lines = shown
    .split('\n')
    .slice(0, -1)
    .map((line) =>
      line === '…' ? gap : `${line.trimEnd().split('…').map(escapeRegExp).join('.*')}\\n`,
    )
  const pattern =
    where === 'all' ? lines.join('') : [gap, ...lines.flatMap((line) => [line, gap])].join('')
  const clean = printed.replaceAll('\r', '').replace(/[ \t]+$/gm, '')
  return new RegExp(`^${pattern}$`).test(
    clean === '' || clean.endsWith('\n') ? clean : `${clean}\n`,
  )
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
