/** Config files: JSON, or a JavaScript module whose default export is an object. */
import { existsSync, readFileSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { GivenValue } from './command-line.ts'
import { camelCase, type SettingDefinition } from './definition.ts'
import { gunicornAdvice, gunicornSettings } from './gunicorn-settings.ts'
import { quoted, SettingsError } from './settings-error.ts'
import { didYouMean } from './suggestion.ts'
import { settingsTable } from './table.ts'

/** The files that are used by default, in the order of the search. */
export const DEFAULT_CONFIG_FILES = [
  'monoceros.config.js',
  'monoceros.config.mjs',
  'monoceros.config.json',
]

/** The first of {@link DEFAULT_CONFIG_FILES} in a folder, or undefined. */
export function findConfigFile(folder: string): string | undefined {
  return DEFAULT_CONFIG_FILES.map((name) => join(folder, name)).find((path) => existsSync(path))
}

/** Every accepted spelling of a key, with its setting. */
const keys = new Map<string, SettingDefinition>()
for (const setting of settingsTable as readonly SettingDefinition[]) {
  if (setting.command || setting.commandLineOnly) continue
  keys.set(setting.name, setting)
  keys.set(camelCase(setting.name), setting)
  if (setting.gunicornName !== undefined) keys.set(setting.gunicornName, setting)
}

export interface ConfigFile {
  /** By the setting's name; not checked yet. */
  values: Map<string, GivenValue>
  notes: string[]
}

/**
 * Reads a config file. Keys are names of settings in snake_case or camelCase, or Gunicorn's names.
 *
 * A JavaScript file runs again on each call, so that a reload sees its changes.
 *
 * @param path absolute
 * @param cwd the folder to which messages show the path relative
 * @throws SettingsError with the file and the key in its message
 */
export async function readConfigFile(path: string, cwd: string): Promise<ConfigFile> {
  const name = displayName(path, cwd)
  const contents = extname(path) === '.json' ? readJson(path, name) : await runModule(path, name)
  if (typeof contents !== 'object' || contents === null || Array.isArray(contents)) {
    throw new SettingsError(
      'config-file',
      `${name}: expected an object of settings, got ${quoted(contents)}`,
    )
  }
  const values = new Map<string, GivenValue>()
  const notes: string[] = []
  for (const [key, raw] of Object.entries(contents)) {
    const setting = keys.get(key)
    const label = `${name}: ${key}`
    if (setting === undefined) {
      const note = refuseOrNote(key, raw, name)
      if (note !== undefined) notes.push(note)
      continue
    }
    const before = values.get(setting.name)
    if (before !== undefined)
      throw new SettingsError(
        'config-file',
        `${label} is the same setting as ${before.label}; remove one of them`,
      )
    values.set(setting.name, { raw, label })
  }
  return { values, notes }
}

/** The note about a key that is not a setting, or undefined; an error if it must not be there. */
function refuseOrNote(key: string, raw: unknown, name: string): string | undefined {
  const gunicorn = gunicornSettings.find((setting) => setting.name === key)
  if (gunicorn === undefined) {
    const table = settingsTable as readonly SettingDefinition[]
    const commandLine = table.find(
      (setting) => setting.name === key || camelCase(setting.name) === key,
    )
    if (commandLine !== undefined) {
      throw new SettingsError(
        'unknown-key',
        `${name}: ${key} is for the command line only: ${commandLine.flags.at(-1)}`,
      )
    }
    const suggestion = didYouMean(key, [...keys.keys()])
    throw new SettingsError('unknown-key', `${name}: unknown setting ${quoted(key)}${suggestion}`)
  }
  // A setting that is off changes nothing.
  if (raw === false || raw === null) return undefined
  const { refused, text } = gunicornAdvice(gunicorn, `${name}: ${key}`, raw)
  if (refused) throw new SettingsError('unsupported', text)
  return text
}

function readJson(path: string, name: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw cannotRead(name, error)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new SettingsError('config-file', `${name}: not valid JSON: ${oneLine(error)}`)
  }
}

async function runModule(path: string, name: string): Promise<unknown> {
  const extension = extname(path)
  if (extension === '.py' || name.startsWith('python:')) {
    throw new SettingsError(
      'config-file',
      `${name}: Python config files are not supported; ` +
        'use the same names in a monoceros.config.json or .mjs file',
    )
  }
  if (extension !== '.js' && extension !== '.mjs') {
    throw new SettingsError(
      'config-file',
      `${name}: the name of a config file must end in .json, .js or .mjs`,
    )
  }
  if (!existsSync(path)) throw cannotRead(name, undefined)
  const url = pathToFileURL(path)
  // The loader runs each URL once; the query makes a new one.
  url.searchParams.set('read', String(++reads))
  let contents: Record<string, unknown>
  try {
    contents = await import(url.href)
  } catch (error) {
    throw new SettingsError(
      'config-file',
      `${name}: ${error instanceof Error ? error.name : 'Error'}: ${oneLine(error)}`,
    )
  }
  if (!('default' in contents)) {
    throw new SettingsError(
      'config-file',
      `${name}: no default export; add one, such as "export default { workers: 2 }"`,
    )
  }
  return contents.default
}

let reads = 0

function cannotRead(name: string, error: unknown): SettingsError {
  const code = error instanceof Error && 'code' in error ? error.code : 'ENOENT'
  const reason =
    code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : oneLine(error)
  return new SettingsError('config-file', `Cannot read config file ${quoted(name)}: ${reason}`)
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0]!
}

function displayName(path: string, cwd: string): string {
  const inside = relative(cwd, path)
  return inside === '' || inside.startsWith('..') ? path : inside
}
