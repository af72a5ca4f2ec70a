/** The command line, parsed by node's own `util.parseArgs` as the settings table says. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { SettingDefinition } from './definition.ts'
import { type GunicornSetting, gunicornSettings, judge } from './gunicorn-settings.ts'
import { quoted, SettingsError } from './settings-error.ts'
import { didYouMean } from './suggestion.ts'
import { settingsTable } from './table.ts'

/** A value that was given somewhere, and how to name that place in a message. */
export interface GivenValue {
  /** Not checked yet. A list for a flag that may be repeated. */
  raw: unknown
  /** `--workers`, `monoceros.config.json: workers` */
  label: string
}

export interface CommandLine {
  /** By the setting's name. */
  values: Map<string, GivenValue>
  /** What to tell the user about flags that do nothing. */
  notes: string[]
}

type Flag = { setting: SettingDefinition; off: boolean } | { gunicorn: GunicornSetting }

const flags = new Map<string, Flag>()
for (const setting of settingsTable as readonly SettingDefinition[]) {
  for (const flag of setting.flags) flags.set(flag, { setting, off: false })
  if (setting.offFlag !== undefined) flags.set(setting.offFlag, { setting, off: true })
}
for (const gunicorn of gunicornSettings)
  for (const flag of gunicorn.flags) flags.set(flag, { gunicorn })

const ownFlags = [...flags].filter(([, flag]) => 'setting' in flag).map(([name]) => name)
const options: NonNullable<ParseArgsConfig['options']> = {}
for (const [name, flag] of flags) {
  if (name.startsWith('--'))
    options[name.slice(2)] = { type: takesValue(flag) ? 'string' : 'boolean', ...shortOf(flag) }
}

/**
 * Parses arguments. Values are not checked yet, except that a flag has one exactly when it takes
 * one.
 *
 * @param args without the name of the command
 * @param source what the arguments came from, when not from the command line itself: begins
 * messages
 * @throws SettingsError
 */
export function parseCommandLine(args: readonly string[], source = ''): CommandLine {
  const prefix = source === '' ? '' : `${source}: `
  const values = new Map<string, GivenValue>()
  const notes: string[] = []
  // Not strict: the messages of parseArgs do not say what we want to say, so that tokens are judged
  // here.
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind === 'positional') giveApplication(values, token.value, prefix)
    if (token.kind !== 'option') continue
    const name = token.rawName
    const flag = flags.get(name)
    if (flag === undefined) {
      throw new SettingsError(
        'unknown-flag',
        `${prefix}Unknown option ${quoted(name)}${didYouMean(name, ownFlags)}`,
      )
    }
    const whole = args[token.index]!
    if (token.inlineValue && !name.startsWith('--') && flags.has(`-${whole}`)) {
      throw new SettingsError(
        'unknown-flag',
        `${prefix}Unknown option ${quoted(whole)} (did you mean -${whole}?)`,
      )
    }
    let value = token.value
    if (takesValue(flag)) {
      // What begins with a dash is the next flag and not this one's value, unless it is a number or
      // was joined with "=".
      const missing =
        value === undefined || (!token.inlineValue && /^-./.test(value) && !/^-[0-9.]/.test(value))
      if (missing)
        throw new SettingsError(
          'missing-value',
          `${prefix}${name} needs a value: ${name} ${metavarOf(flag)}`,
        )
    } else if (value !== undefined) {
      throw new SettingsError(
        'unwanted-value',
        `${prefix}${name} takes no value, got ${quoted(value)}`,
      )
    }
    if ('gunicorn' in flag) {
      const { refused, text } = judge(flag.gunicorn, name, value)
      if (refused) throw new SettingsError('unsupported', `${prefix}${text}`)
      notes.push(`${prefix}${text}`)
      continue
    }
    const { setting, off } = flag
    const label = `${prefix}${name}`
    if (off) values.set(setting.name, { raw: setting.type === 'boolean' ? false : null, label })
    else if (setting.type === 'boolean') values.set(setting.name, { raw: true, label })
    else if (isRepeatable(setting)) {
      value ??= ''
      const before = values.get(setting.name)?.raw
      values.set(setting.name, { raw: Array.isArray(before) ? [...before, value] : [value], label })
    } else values.set(setting.name, { raw: value, label })
  }
  return { values, notes }
}

/** Whether giving a flag again adds to the value (otherwise the last one counts). */
export function isRepeatable(setting: SettingDefinition): boolean {
  return setting.type === 'strings' || setting.type === 'addresses' || setting.type === 'mapping'
}

function giveApplication(values: Map<string, GivenValue>, value: string, prefix: string): void {
  const before = values.get('wsgi_app')
  if (before !== undefined) {
    throw new SettingsError(
      'two-applications',
      `${prefix}Two applications given, ${quoted(before.raw)} and ${quoted(value)}; one command serves one (flags that take a value need it directly behind them)`,
    )
  }
  values.set('wsgi_app', { raw: value, label: `${prefix}APP` })
}

function takesValue(flag: Flag): boolean {
  if ('gunicorn' in flag) return flag.gunicorn.takesValue
  return flag.setting.type !== 'boolean' && !flag.off
}

function metavarOf(flag: Flag): string {
  return 'gunicorn' in flag ? 'VALUE' : (flag.setting.metavar ?? 'VALUE')
}

/** parseArgs wants the short flag beside one long one. */
function shortOf(flag: Flag): { short?: string } {
  if ('setting' in flag && flag.off) return {}
  const names = 'gunicorn' in flag ? flag.gunicorn.flags : flag.setting.flags
  const short = names.find((name) => !name.startsWith('--'))
  return short === undefined ? {} : { short: short.slice(1) }
}
