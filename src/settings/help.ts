/** The text of `--help`. */
import { SECTION_NAMES, type SettingDefinition } from './definition.ts'
import { joinLines } from './prose.ts'
import { settingsTable } from './table.ts'

const USAGE = 'monoceros [options] APP'
const INDENT = 28
const table: readonly SettingDefinition[] = settingsTable

/** The line that shows how to call the command. */
export const USAGE_LINE = `Usage: ${USAGE}`

/**
 * All flags with the first paragraph about each, grouped by section.
 *
 * @param width of the terminal, in characters
 * @param embedded whether there are commands for the embedded Python
 */
export function renderHelp(width = 100, embedded = true): string {
  const lines = [
    USAGE_LINE,
    '',
    ...wrap(
      'Serves a WSGI application. APP is MODULE:NAME, such as mysite.wsgi:application, or ' +
        'FILE:NAME, such as ./app.ts:app.',
      width,
    ),
    '',
    'Examples:',
    '  monoceros -w 4 mysite.wsgi            As gunicorn -w 4 mysite.wsgi',
    '  monoceros --check-config mysite.wsgi  Check settings and application',
    '  monoceros --reload mysite.wsgi        Reload when a file changes',
  ]
  lines.push(
    '',
    'Commands for a running server (each has its own --help):',
    '  monoceros ctl status      Ask it what it is doing; ctl --help has more',
    '  monoceros top             The same live, in the terminal',
    '',
    'Learn WSGI in the browser, offline:',
    '  monoceros learn           Serve the documentation, with its tutorial',
    '',
    'When something is wrong:',
    '  monoceros explain CODE    Explain the code of an error: MONO1001',
  )
  if (embedded)
    lines.push(
      '',
      'Commands that need no installed Python (each has its own --help):',
      '  monoceros python SCRIPT   Run a program on the embedded Python',
      '  monoceros install NAME    Install packages into python_modules',
    )
  for (const section of SECTION_NAMES) {
    const settings = table.filter(
      (setting) => setting.section === section && setting.flags.length > 0,
    )
    if (settings.length === 0) continue
    lines.push('', `${section}:`)
    for (const setting of settings) lines.push(...describe(setting, Math.max(width, 60)))
  }
  lines.push(
    '',
    ...wrap(
      'Settings come from environment variables, the config file, GUNICORN_CMD_ARGS, ' +
        'MONOCEROS_CMD_ARGS and the command line. Later ones override earlier ones. Without -c, ' +
        'the config file is monoceros.config.* or gunicorn.conf.py in the current folder.',
      width,
    ),
  )
  return `${lines.join('\n')}\n`
}

/** The first paragraph of a setting's doc. */
export function summary(setting: SettingDefinition): string {
  return joinLines(setting.doc.split('\n\n', 1)[0]!)
}

/** The flags with what stands for the value: `-b, --bind ADDRESS`. */
export function flagsOf(setting: SettingDefinition): string {
  const value = setting.type === 'boolean' ? '' : ` ${setting.metavar ?? 'VALUE'}`
  // A flag that only confirms the default is left out.
  const names =
    setting.default === true && setting.offFlag !== undefined ? [] : setting.flags.filter(isCommon)
  const own = names.length === 0 ? [] : [`${names.join(', ')}${value}`]
  return [...own, ...(setting.offFlag === undefined ? [] : [setting.offFlag])].join(', ')
}

/** Gunicorn spells one flag with an underscore; the help does not show that one. */
function isCommon(flag: string): boolean {
  return !flag.includes('_')
}

function describe(setting: SettingDefinition, width: number): string[] {
  const left = `  ${flagsOf(setting)}`
  const text = wrap(
    `${summary(setting).replaceAll('`', '')}${defaultText(setting)}`,
    width - INDENT,
  )
  const body = text.map((line) => ' '.repeat(INDENT) + line)
  if (left.length >= INDENT - 1) return [left, ...body]
  return [left.padEnd(INDENT) + text[0]!, ...body.slice(1)]
}

function defaultText(setting: SettingDefinition): string {
  const value = setting.default
  if (value === null || value === '' || typeof value === 'boolean') return ''
  const text = Array.isArray(value)
    ? value.join(',')
    : typeof value === 'object'
      ? ''
      : String(value)
  return text === '' || text === '.' || text.length > 30 ? '' : ` [${text}]`
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
