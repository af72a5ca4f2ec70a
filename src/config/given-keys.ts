/** From the keys of a config file to settings. */
import { coded } from '../messages/coded.ts'
import type { GivenValue } from '../settings/command-line.ts'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { gunicornAdvice, gunicornSettings } from '../settings/gunicorn-settings.ts'
import { gunicornFact, gunicornValue, isGunicornDefault } from '../settings/gunicorn-values.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'
import { didYouMean } from '../settings/suggestion.ts'
import { settingsTable } from '../settings/table.ts'

const table = settingsTable as readonly SettingDefinition[]

/** Every accepted spelling of a key, with its setting. */
const keys = new Map<string, SettingDefinition>()
for (const setting of table) {
  if (setting.command || setting.commandLineOnly) continue
  keys.set(setting.name, setting)
  keys.set(camelCase(setting.name), setting)
  if (setting.gunicornName !== undefined) keys.set(setting.gunicornName, setting)
}

/** The keys in snake_case that Gunicorn does not have, with the names of their settings. */
export function ownKeysOnly(): ReadonlyMap<string, string> {
  return ownKeys
}

const ownKeys = new Map(
  [...keys]
    .filter(([key]) => gunicornFact(key) === undefined && !/[A-Z]/.test(key))
    .map(([key, setting]) => [key, setting.name]),
)

/** What a config file says. */
export interface GivenKeys {
  /** By the setting's name; not checked yet. */
  readonly values: Map<string, GivenValue>
  readonly notes: string[]
}

/**
 * Finds the settings of the keys in an object. Keys are in snake_case or camelCase, or Gunicorn's.
 *
 * @param contents the keys with their values
 * @param place of a key, for messages: `monoceros.config.json`, or `gunicorn.conf.py:7`
 * @throws SettingsError for a key that is not a setting, or one that is given twice
 */
export function givenKeys(
  contents: Readonly<Record<string, unknown>>,
  place: (key: string) => string,
): GivenKeys {
  const values = new Map<string, GivenValue>()
  const notes: string[] = []
  for (const [key, raw] of Object.entries(contents)) {
    const setting = keys.get(key)
    const label = `${place(key)}: ${key}`
    if (setting === undefined) {
      const note = refuseOrNote(key, raw, place(key))
      if (note !== undefined) notes.push(note)
      continue
    }
    const before = values.get(setting.name)
    if (before !== undefined)
      throw new SettingsError(
        'config-file',
        coded('MONO1102', `${label} is the same setting as ${before.label}; remove one of them`),
      )
    const fact = gunicornFact(key)
    if (fact === undefined) values.set(setting.name, { raw, label })
    // None is Gunicorn's default, or means the same, except for numbers.
    else if (raw !== null || setting.nullable || fact.kind === 'integer')
      values.set(setting.name, { raw: gunicornValue(fact, raw), label })
  }
  return { values, notes }
}

/** The note about a key that is not a setting, or undefined; an error if it must not be there. */
function refuseOrNote(key: string, raw: unknown, name: string): string | undefined {
  const fact = gunicornFact(key)
  if (fact !== undefined && isGunicornDefault(fact, raw)) return undefined
  const gunicorn = gunicornSettings.find((setting) => setting.name === key)
  if (gunicorn !== undefined) {
    // A setting that is off changes nothing.
    if (raw === false || raw === null) return undefined
    const { refused, text } = gunicornAdvice(gunicorn, `${name}: ${key}`, raw)
    if (refused) throw new SettingsError('unsupported', coded('MONO1004', text))
    return text
  }
  const commandLine = table.find(
    (setting) => setting.name === key || camelCase(setting.name) === key,
  )
  if (commandLine !== undefined) {
    throw new SettingsError(
      'unknown-key',
      coded(
        'MONO1103',
        `${name}: ${key} is for the command line only: ${commandLine.flags.at(-1)}`,
      ),
    )
  }
  const suggestion = didYouMean(key, [...keys.keys()])
  throw new SettingsError(
    'unknown-key',
    coded('MONO1101', `${name}: unknown setting ${quoted(key)}${suggestion}`),
  )
}
