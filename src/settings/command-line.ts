/** Parses the command line, with Node's `util.parseArgs` and the settings table. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { coded } from '../messages/coded.ts'
import type { SettingDefinition, SettingType } from './definition.ts'
import { gunicornFacts } from './gunicorn-facts.ts'
import { type GunicornSetting, gunicornAdvice, gunicornSettings } from './gunicorn-settings.ts'
import { gunicornFact, isGunicornDefault } from './gunicorn-values.ts'
import { quoted, SettingsError } from './settings-error.ts'
import { didYouMean } from './suggestion.ts'
import { settingsTable } from './table.ts'

/** A value, and the name of the place where it was given, for messages. */
export interface GivenValue {
  /** Not checked yet. A list for a flag that may be repeated. */
  raw: unknown
  /** `--workers`, `monoceros.config.json: workers` */
  label: string
}

export interface CommandLine {
  /** By the setting's name. */
  values: Map<string, GivenValue>
  /** Notes for the user about flags without effect. */
  notes: string[]
}

type OwnFlag = { setting: SettingDefinition; off: boolean }
type Flag = OwnFlag | { gunicorn: GunicornSetting }

const flags = new Map<string, Flag>()
for (const setting of settingsTable as readonly SettingDefinition[]) {
  for (const flag of setting.flags) flags.set(flag, { setting, off: false })
  if (setting.offFlag !== undefined) flags.set(setting.offFlag, { setting, off: true })
}
for (const gunicorn of gunicornSettings)
  for (const flag of gunicorn.flags) flags.set(flag, { gunicorn })

const GUNICORN_FLAGS = gunicornFacts
  .flatMap((fact) => fact.flags)
  .filter((flag) => flag.startsWith('--'))
const OWN_FLAGS = [...flags].filter(([, flag]) => 'setting' in flag).map(([name]) => name)
const options: NonNullable<ParseArgsConfig['options']> = {}
for (const [name, flag] of flags) {
  if (name.startsWith('--'))
    options[name.slice(2)] = { type: takesValue(flag) ? 'string' : 'boolean', ...shortOf(flag) }
}

/**
 * Parses arguments. Only the presence of values is checked here, not the values.
 *
 * @param args without the name of the command
 * @param source the origin of the arguments, for messages, if it is not the command line itself
 * @throws SettingsError
 */
export function parseCommandLine(args: readonly string[], source = ''): CommandLine {
  const prefix = source === '' ? '' : `${source}: `
  const values = new Map<string, GivenValue>()
  const notes: string[] = []
  // Not strict, because the messages of parseArgs lack the placeholder and the suggestion.
  const words = withSwitches(withWholeFlags(args))
  const { tokens } = parseArgs({
    args: words,
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind === 'positional')
      giveApplication(values, token.value, prefix, words[token.index - 1])
    if (token.kind !== 'option') continue
    const name = token.rawName
    const flag = flags.get(name)
    if (flag === undefined) {
      throw new SettingsError(
        'unknown-flag',
        coded('MONO1001', `${prefix}Unknown option ${quoted(name)}${didYouMean(name, OWN_FLAGS)}`),
      )
    }
    const whole = words[token.index]!
    if (token.inlineValue && !name.startsWith('--') && flags.has(`-${whole}`)) {
      throw new SettingsError(
        'unknown-flag',
        coded('MONO1001', `${prefix}Unknown option ${quoted(whole)} (did you mean -${whole}?)`),
      )
    }
    let value = token.value
    if (takesValue(flag)) {
      // A text that begins with a dash is the next flag, not a value, unless it is a number or
      // joined with "=".
      const missing =
        value === undefined || (!token.inlineValue && /^-./.test(value) && !/^-[0-9.]/.test(value))
      if (missing)
        throw new SettingsError(
          'missing-value',
          coded('MONO1002', `${prefix}${name} needs a value: ${name} ${metavarOf(flag)}`),
        )
    } else if (value !== undefined) {
      throw new SettingsError(
        'unwanted-value',
        coded('MONO1003', `${prefix}${name} does not take a value, got ${quoted(value)}`),
      )
    }
    if ('gunicorn' in flag) {
      const fact = gunicornFact(flag.gunicorn.name)
      if (fact !== undefined && isGunicornDefault(fact, value ?? true)) continue
      const { refused, text } = gunicornAdvice(flag.gunicorn, name, value)
      if (refused) throw new SettingsError('unsupported', coded('MONO1004', `${prefix}${text}`))
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

/**
 * Joins `--capture-output raw` to one argument, and makes `--capture-output=lines` of the flag
 * alone: its value may be left out, so only a text that is one of its choices is its value.
 */
function withSwitches(args: readonly string[]): string[] {
  const joined = [...args]
  for (let index = 0; index < joined.length && joined[index] !== '--'; index++) {
    const flag = flags.get(joined[index]!)
    if (flag === undefined || !('setting' in flag)) continue
    const { switchedOn, choices, spellings = {} } = flag.setting
    if (switchedOn === undefined) continue
    const next = joined[index + 1]
    const given = next !== undefined && (choices!.includes(next) || Object.hasOwn(spellings, next))
    joined.splice(index, given ? 2 : 1, `${joined[index]}=${given ? next : switchedOn}`)
  }
  return joined
}

/** Gunicorn accepts the beginning of a long flag if no other flag begins like that. */
function withWholeFlags(args: readonly string[]): string[] {
  const end = args.indexOf('--')
  return args.map((arg, index) => {
    const name = /^--[^=]+/.exec(arg)?.[0]
    if (name === undefined || flags.has(name) || (end !== -1 && index > end)) return arg
    const [found, ...others] = GUNICORN_FLAGS.filter((flag) => flag.startsWith(name))
    if (found === undefined || others.length > 0) return arg
    return `${found}${arg.slice(name.length)}`
  })
}

const REPEATABLE: readonly SettingType[] = [
  'strings',
  'paths',
  'addresses',
  'mapping',
  'folder-mapping',
]

/** Whether a repeated flag adds to the value; otherwise the last one counts. */
export function isRepeatable(setting: SettingDefinition): boolean {
  return REPEATABLE.includes(setting.type)
}

/** @param previous the word before it */
function giveApplication(
  values: Map<string, GivenValue>,
  value: string,
  prefix: string,
  previous: string | undefined,
): void {
  const before = values.get('wsgi_app')
  if (before !== undefined) {
    throw new SettingsError(
      'two-applications',
      coded(
        'MONO1005',
        `${prefix}Two applications given, ${quoted(before.raw)} and ${quoted(value)}; ` +
          `a command serves one. (${valueHint(previous)}.)`,
      ),
    )
  }
  values.set('wsgi_app', { raw: value, label: `${prefix}APP` })
}

/** What to know about the value of a flag, if the next word was not taken for it. */
function valueHint(word: string | undefined): string {
  const [name = ''] = word?.split('=', 1) ?? []
  const flag = flags.get(name)
  if (flag === undefined || (takesValue(flag) && !isSwitch(flag)))
    return 'The value of a flag follows it directly'
  return isSwitch(flag)
    ? `${name} takes ${flag.setting.choices!.join(', ')} or nothing`
    : `${name} takes no value`
}

/** Whether its value may be left out: see {@link withSwitches}. */
function isSwitch(flag: Flag): flag is OwnFlag {
  return 'setting' in flag && flag.setting.switchedOn !== undefined
}

function takesValue(flag: Flag): boolean {
  if ('gunicorn' in flag) return flag.gunicorn.takesValue
  return flag.setting.type !== 'boolean' && !flag.off
}

function metavarOf(flag: Flag): string {
  return 'gunicorn' in flag ? 'VALUE' : (flag.setting.metavar ?? 'VALUE')
}

/** parseArgs takes a short flag as a property of a long one. */
function shortOf(flag: Flag): { short?: string } {
  if ('setting' in flag && flag.off) return {}
  const names = 'gunicorn' in flag ? flag.gunicorn.flags : flag.setting.flags
  const short = names.find((name) => !name.startsWith('--'))
  return short === undefined ? {} : { short: short.slice(1) }
}
