/** The pages about errors and warnings, in Markdown, and the same as plain text. */
import { type Code, coded } from './coded.ts'
import { EXAMPLE_FILES, type MessageRow } from './row.ts'

/** The areas, by the beginning of their codes, and what they are about. */
const AREAS: readonly (readonly [prefix: string, title: string])[] = [
  ['MONO10', 'The command line and the values of settings'],
  ['MONO11', 'Config files'],
  ['MONO20', 'Loading the application'],
  ['MONO30', 'Addresses to listen on'],
  ['MONO31', 'Users, pid files and folders'],
  ['MONO32', 'Certificates'],
  ['MONO40', 'Requests'],
  ['MONO50', 'Workers'],
  ['MONO51', 'Acceptors'],
  ['MONO52', 'Reloads'],
  ['MONO53', 'Upgrades'],
  ['MONO54', 'The control socket, and systemd'],
  ['MONO55', 'Hooks'],
  ['MONO59', 'Bugs'],
  ['MONO60', 'The commands ctl, top and profile'],
  ['MONO70', 'The command python'],
  ['MONO71', 'The command install'],
  ['MONO72', 'The command learn'],
  ['MONO80', 'Logs'],
  ['MONO81', 'StatsD'],
  ['MONO82', 'Metrics, health and the dashboard'],
  ['MONO83', 'Redis'],
  ['MONO84', 'Traces'],
]

export type MessageTable = Readonly<Record<string, MessageRow>>

const GENERATED =
  '<!-- Generated from src/messages/areas by scripts/generate-docs.mjs; change it there. -->'

/** `docs/reference/errors.md`: all codes, by area. */
export function renderIndex(table: MessageTable): string {
  const sections = AREAS.map(([prefix, title]) => {
    const rows = Object.entries(table)
      .filter(([code]) => code.startsWith(prefix))
      .map(([code, row]) => `| [${code}](../errors/${code}.md) | ${row.level} | ${row.title} |`)
    return [`## ${title}`, '', '| code | level | what has happened |', '|---|---|---|', ...rows]
  })
  return `# Errors and warnings

${GENERATED}

Every error and every warning has a code, in brackets at the end of its first line: \`[MONO1001]\`.
If that line introduces a list or a stack, the code stands before that: \`2 servers run [MONO6007]. Name one:\`.
Each code has a page with the cause, an example and the cure; \`monoceros explain MONO1001\` prints it, without a network.
With \`--log-format json\`, the code is in the member \`code\` of an entry.
A code keeps its meaning in all versions, while the words of its line may change: so let alerts look for codes.
What an application itself logs has none.

${sections.map((lines) => lines.join('\n')).join('\n\n')}
`
}

/** `docs/errors/MONO1001.md`. */
export function renderPage(code: string, row: MessageRow): string {
  const { files = {}, run, shows } = row.example
  const used = { ...standardFiles(run, files), ...files }
  const blocks = Object.entries(used).map(
    ([name, text]) => `**${name}**:\n\n\`\`\`${languageOf(name)}\n${text.trimEnd()}\n\`\`\`\n`,
  )
  const commands = run.split('\n').map((line) => `$ ${line}`)
  return `# ${code}: ${row.title}

${GENERATED}

\`\`\`text
${withCode(code, row.line)}
\`\`\`

It is ${row.level === 'error' ? 'an' : 'a'} **${row.level}**.

## Cause

${sentences(row.cause)}

## Example

${blocks.length === 0 ? '' : `${blocks.join('\n')}\n`}\`\`\`console
${[...commands, withCode(code, shows)].join('\n')}
\`\`\`

\`…\` stands for what differs.

## Cure

${sentences(row.cure)}

[All errors and warnings](../reference/errors.md)
`
}

/** The same for a terminal. */
export function plainPage(code: string, row: MessageRow): string {
  const plain = (text: string) => sentences(text).replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  const indented = (text: string) => text.replace(/^(?=.)/gm, '  ')
  const { files = {}, run, shows } = row.example
  const listings = Object.entries(files).map(
    ([name, text]) => `${name}:\n${indented(text.trimEnd())}\n\n`,
  )
  const commands = run.split('\n').map((line) => `$ ${line}`)
  return `${code}: ${row.title} (${row.level})

${indented(withCode(code, row.line))}

Cause
${indented(plain(row.cause))}

Example
${indented(`${listings.join('')}${[...commands, withCode(code, shows)].join('\n')}`)}

Cure
${indented(plain(row.cure))}
`
}

/** A line of a row as it is printed. One that introduces others gets `…` for them. */
export function withCode(code: string, line: string): string {
  const text = oneLine(line)
  return coded(code as Code, text.endsWith(':') ? `${text}\n  …` : text)
}

/** The table without what only tests need, and without the line breaks of its source. */
export function compactTable(table: MessageTable): MessageTable {
  return Object.fromEntries(
    Object.entries(table).map(([code, { test: _, ...row }]) => [
      code,
      {
        ...row,
        line: oneLine(row.line),
        cause: oneLine(row.cause),
        cure: oneLine(row.cure),
        example: { ...row.example, shows: oneLine(row.example.shows) },
        test: '',
      },
    ]),
  )
}

/** The files that an example takes for granted, if it names them. */
function standardFiles(run: string, own: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(EXAMPLE_FILES).filter(
      ([name]) => !(name in own) && run.includes(name) && !/\.py$/.test(name),
    ),
  )
}

function languageOf(name: string): string {
  return { py: 'python', json: 'json', mjs: 'js', ts: 'ts' }[name.split('.').at(-1)!] ?? 'text'
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim()
}

/** One sentence on each line, as all pages have it. */
function sentences(text: string): string {
  return oneLine(text).replace(/([.:]) (?=[A-Z`[])/g, (whole, end, at, all) =>
    end === ':' || /\b(?:e\.g|etc)$/.test(all.slice(0, at)) ? whole : `${end}\n`,
  )
}
