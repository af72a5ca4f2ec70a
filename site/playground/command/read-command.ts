import '../engine/node-buffer.ts'
import { coded } from '../../../src/messages/coded.ts'
import { parseCommandLine } from '../../../src/settings/command-line.ts'
import type { SettingDefinition } from '../../../src/settings/definition.ts'
import { SettingsError } from '../../../src/settings/settings-error.ts'
import { splitShellWords } from '../../../src/settings/shell-words.ts'
import { settingsTable } from '../../../src/settings/table.ts'
import { readValue, ValueError, writeValue } from '../../../src/settings/value.ts'
import { codeOfValue } from '../../../src/settings/value-codes.ts'
import type { LogEntry } from '../protocol.ts'

/** What a command line of `monoceros` starts. */
export interface ReadCommand {
  /** The file that has the application. */
  readonly main: string
  /** What the server says when it has started. */
  readonly log: LogEntry[]
  /** The settings that were given, as a config file has them. */
  readonly settings: Readonly<Record<string, unknown>>
}

const DEFAULT_BIND = ['127.0.0.1:8000']

/**
 * Reads a command line with the server's own parser and table of settings, so that what is wrong is
 * said as the command says it.
 *
 * @param files those that are there
 */
export function readCommand(
  text: string,
  files: readonly string[],
): ReadCommand | { readonly failure: string } {
  const words = splitShellWords(text.trim())
  if (words === undefined) return { failure: 'A quote is not closed' }
  if (words[0] === 'npx') words.shift()
  const [program = '', ...args] = words
  if (program !== 'monoceros' && !program.endsWith('/monoceros'))
    return { failure: `${program}: command not found. The command is npx monoceros APP …` }
  try {
    const { values, notes } = parseCommandLine(args)
    const settings: Record<string, unknown> = {}
    for (const [name, { raw, label }] of values) settings[name] = settingValue(name, raw, label)
    const reference = settings.wsgi_app
    if (typeof reference !== 'string')
      return { failure: 'No application given: name one, such as hello:app' }
    const main = fileOf(reference, files)
    if (main === null) return { failure: notFound(reference, files) }
    const { workers = 1, bind = DEFAULT_BIND } = settings as { workers?: number; bind?: string[] }
    const listening = bind.map((address) => `http://${address}`).join(', ')
    const lines = [
      ...notes,
      `Listening at ${listening}`,
      ...(workers === 1 ? [] : [`(In the page, one worker stands for ${workers}.)`]),
    ]
    return { main, log: [{ from: 'server', text: `${lines.join('\n')}\n` }], settings }
  } catch (error) {
    if (error instanceof SettingsError) return { failure: error.message }
    throw error
  }
}

/** How the settings of a command differ from what is expected, a line each. */
export function differingSettings(
  settings: Readonly<Record<string, unknown>>,
  expected: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    const given = settings[name]
    if (JSON.stringify(given) === JSON.stringify(value)) return []
    const flag = definitionOf(name)?.flags.find((each) => each.startsWith('--')) ?? name
    if (given === undefined) return [`${flag} is not given`]
    return [`${flag} is ${shown(given)}, not ${shown(value)}`]
  })
}

function settingValue(name: string, raw: unknown, label: string): unknown {
  const setting = definitionOf(name)!
  try {
    return writeValue(setting, readValue(setting, raw, '/tutorial'))
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    const got = error.namesValue ? '' : `, got ${JSON.stringify(error.value)}`
    const text = `${label}: ${error.message}${got}`
    throw new SettingsError('bad-value', coded(codeOfValue(setting), text))
  }
}

function definitionOf(name: string): SettingDefinition | undefined {
  return (settingsTable as readonly SettingDefinition[]).find((each) => each.name === name)
}

/** `append:app` → `append.py`, `./append.ts:app` → `append.ts` */
function fileOf(reference: string, files: readonly string[]): string | null {
  const [name = '', attribute = 'app'] = reference.split(':')
  if (attribute !== 'app') return null
  const file = name.startsWith('./') ? name.slice(2) : `${name}.py`
  return files.includes(file) ? file : null
}

function notFound(reference: string, files: readonly string[]): string {
  const names = files.map((file) => (file.endsWith('.py') ? file.slice(0, -3) : `./${file}`))
  return (
    `application "${reference}": the page has ` +
    `${names.map((name) => `${name}:app`).join(' and ')} only`
  )
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value)
}
