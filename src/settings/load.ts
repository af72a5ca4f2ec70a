/** Combines all sources of settings. */
import { resolve } from 'node:path'
import { type GivenValue, parseCommandLine } from './command-line.ts'
import { findConfigFile, readConfigFile } from './config-file.ts'
import { camelCase, type RawValue, type SettingDefinition } from './definition.ts'
import { notesOnMeaningless } from './meaningless.ts'
import { quoted, SettingsError } from './settings-error.ts'
import { splitShellWords } from './shell-words.ts'
import { type Settings, settingsTable } from './table.ts'
import { readValue, ValueError, writeValue } from './value.ts'

/** Where settings come from. */
export interface SettingsSources {
  /** Arguments of the command, without its name. */
  args?: readonly string[]
  env?: Readonly<Record<string, string | undefined>>
  /** The base of relative paths, and the folder that is searched for a config file. */
  cwd?: string
}

export interface LoadedSettings {
  settings: Settings
  /** Notes for the user: flags of Gunicorn, and settings, that have no effect. */
  notes: readonly string[]
}

/** What the command does instead of serving. */
export type Command = 'help' | 'version' | 'print-config' | 'check-config'

const table: readonly SettingDefinition[] = settingsTable
const COMMAND_VARIABLE = 'MONOCEROS_CMD_ARGS'

/**
 * Combines defaults, environment variables, the config file, MONOCEROS_CMD_ARGS and the command
 * line; later ones override earlier ones. Without arguments, it returns the defaults.
 *
 * @throws SettingsError with a message for the user
 * @example
 * const { settings } = await loadSettings({ args: process.argv.slice(2), env: process.env })
 */
export async function loadSettings(sources: SettingsSources = {}): Promise<LoadedSettings> {
  const { args = [], env = {}, cwd = process.cwd() } = sources
  const commandLine = parseCommandLine(args)
  const variable = parseCommandLine(commandVariableWords(env), COMMAND_VARIABLE)
  const configGiven = commandLine.values.get('config') ?? variable.values.get('config')
  const configPath =
    configGiven === undefined ? findConfigFile(cwd) : String(check(configSetting, configGiven, cwd))
  const config =
    configPath === undefined
      ? { values: new Map<string, GivenValue>(), notes: [] }
      : await readConfigFile(configPath, cwd)

  const byHand = (name: string) =>
    commandLine.values.get(name) ?? variable.values.get(name) ?? config.values.get(name)
  const settings: Record<string, unknown> = {}
  for (const setting of table) {
    if (setting.command) continue
    const given = byHand(setting.name) ??
      fromEnvironment(setting, env) ?? { raw: setting.default, label: setting.name }
    settings[camelCase(setting.name)] = check(setting, given, cwd)
  }
  settings.config = configPath ?? null
  const checked = settings as Settings
  const pythonpath = checked.pythonpath.map((folder) => resolve(checked.chdir, folder))
  return {
    settings: { ...checked, pythonpath },
    notes: [
      ...variable.notes,
      ...config.notes,
      ...commandLine.notes,
      ...notesOnMeaningless(table, checked, byHand),
    ],
  }
}

/**
 * The command in the arguments; `help` comes first, then `version`. Undefined means to serve.
 *
 * @throws SettingsError for arguments that cannot be parsed
 */
export function commandOf(sources: SettingsSources): Command | undefined {
  const given = parseCommandLine(sources.args ?? []).values
  const fromVariable = (name: string) =>
    parseCommandLine(commandVariableWords(sources.env ?? {}), COMMAND_VARIABLE).values.has(name)
  if (given.has('help')) return 'help'
  if (given.has('version')) return 'version'
  if (given.has('print_config') || fromVariable('print_config')) return 'print-config'
  if (given.has('check_config') || fromVariable('check_config')) return 'check-config'
  return undefined
}

/** Settings in the form of a config file: an object with snake_case keys. */
export function toConfig(settings: Settings): Record<string, RawValue> {
  const config: Record<string, RawValue> = {}
  for (const setting of table) {
    if (setting.command || setting.commandLineOnly) continue
    config[setting.name] = writeValue(setting, settings[camelCase(setting.name) as keyof Settings])
  }
  return config
}

const configSetting = table.find((setting) => setting.name === 'config')!

function check(setting: SettingDefinition, given: GivenValue, cwd: string): unknown {
  try {
    return readValue(setting, given.raw, cwd)
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    const value =
      Array.isArray(error.value) && error.value.length === 1 ? error.value[0] : error.value
    throw new SettingsError('bad-value', `${given.label}: ${error.message}, got ${quoted(value)}`)
  }
}

/** An empty variable counts as not set: `PORT=` in an environment file means that. */
function fromEnvironment(
  setting: SettingDefinition,
  env: Readonly<Record<string, string | undefined>>,
): GivenValue | undefined {
  const text = setting.env === undefined ? undefined : env[setting.env]
  if (text === undefined || text.trim() === '') return undefined
  return {
    raw:
      setting.envTemplate === undefined
        ? text
        : setting.envTemplate.replace('$', () => text.trim()),
    label: `Environment variable ${setting.env}`,
  }
}

function commandVariableWords(env: Readonly<Record<string, string | undefined>>): string[] {
  const words = splitShellWords(env[COMMAND_VARIABLE] ?? '')
  if (words === undefined)
    throw new SettingsError('bad-arguments', `${COMMAND_VARIABLE}: a quote is not closed`)
  return words
}
