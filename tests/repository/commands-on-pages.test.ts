import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseCtlArguments } from '../../src/control/ctl-arguments.ts'
import { profileArguments } from '../../src/control/profile-command.ts'
import { parseCommandLine } from '../../src/settings/command-line.ts'
import type { SettingDefinition } from '../../src/settings/definition.ts'
import { splitShellWords } from '../../src/settings/shell-words.ts'
import { settingsTable } from '../../src/settings/table.ts'
import { pagesForUsers } from '../support/block-checks.ts'
import { repository } from '../support/build.ts'
import { blocksOf, consoleCommands } from '../support/page-blocks.ts'

// Checks that the commands and flags on the pages exist: every `monoceros` command in a console
// block, and every flag in the column "Monoceros" of a table.

/** Those of docs/errors show mistakes. */
const pages = pagesForUsers().filter((page) => !page.startsWith('docs/errors/'))
const known = new Set(
  (settingsTable as readonly SettingDefinition[]).flatMap(({ flags }) => flags as string[]),
)

/** The arguments of a `monoceros` command of a console block; null for other commands. */
function argumentsOf(line: string): string[] | null {
  const rest = /^(?:sudo |npx |node_modules\/\.bin\/)?monoceros(?= )(.*)$/s.exec(line)?.[1]
  if (rest === undefined || /…|\$\(/.test(rest)) return null
  const command = rest.replace(/ [&|>#].*$/, '')
  const args = splitShellWords(command)
  if (args === undefined) throw new Error(`a quote without its end: ${line}`)
  return ['python', 'install', 'explain'].includes(args[0]!) ? null : args
}

function commandsOn(page: string): string[][] {
  return blocksOf(page)
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => consoleCommands(text))
    .map(({ command }) => argumentsOf(command.replaceAll('\\\n', ' ')))
    .filter((args) => args !== null)
}

/** The flags in the column "Monoceros" of a page's tables. */
function flagsOn(page: string): string[] {
  const flags: string[] = []
  let column = -1
  for (const line of readFileSync(join(repository, page), 'utf8').split('\n')) {
    if (!line.startsWith('|')) column = -1
    else if (column < 0) column = line.split('|').findIndex((cell) => cell.trim() === 'Monoceros')
    if (column < 0) continue
    const cell = line.split('|')[column] ?? ''
    for (const [flag] of cell.matchAll(/--[a-z][\w-]*/g)) flags.push(flag)
  }
  return flags
}

describe('commands on the pages', () => {
  const commands = pages.flatMap((page) => commandsOn(page).map((args) => [page, args] as const))

  test('there are some', () => expect(commands.length).toBeGreaterThan(15))

  test.each(commands)('%s: monoceros %j', (_, args) => {
    const [name, ...rest] = args
    const isControl = name === 'ctl' || name === 'top'
    const parse = () =>
      isControl ? parseCtlArguments(profileArguments(rest).rest) : parseCommandLine(args)
    expect(parse).not.toThrow()
  })
})

describe('flags in the tables of other servers', () => {
  const withTables = pages.filter((page) => flagsOn(page).length > 0)

  test('there are such tables', () => {
    expect(withTables).toContain('docs/guides/from-uwsgi.md')
    expect(withTables).toContain('docs/guides/from-granian-and-waitress.md')
  })

  test.each(withTables)('%s names flags that exist', (page) => {
    expect(flagsOn(page).filter((flag) => !known.has(flag))).toEqual([])
  })
})
