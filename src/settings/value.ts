/** One setting's value: from text or JSON to what the server uses, and back. */
import { isAbsolute, resolve } from 'node:path'
import {
  type BindAddress,
  BindAddressError,
  formatBindAddress,
  parseBindAddress,
} from './bind-address.ts'
import { formatByteSize, parseByteSize } from './byte-size.ts'
import type { RawValue, SettingDefinition, SettingType } from './definition.ts'
import { PythonObject } from './python-object.ts'
import { rules } from './rules.ts'

/**
 * Thrown for a value that its setting does not accept. The caller adds where the value came from.
 */
export class ValueError extends Error {
  readonly code = 'bad-value'
  /** The part of the value that is wrong. */
  readonly value: unknown
  /** The message names the value already. */
  readonly namesValue: boolean

  /** @param problem such as `expected a whole number of at least 1` */
  constructor(problem: string, value: unknown, namesValue = false) {
    super(problem)
    this.value = value
    this.namesValue = namesValue
  }
}

/**
 * Checks a value and brings it into the form of {@link Settings}.
 *
 * @param raw a text or a list of texts (command line, environment), or a value from JSON
 * @param cwd the folder that relative paths start from
 * @throws ValueError
 */
export function readValue(setting: SettingDefinition, raw: unknown, cwd: string): unknown {
  if (raw === null && setting.nullable) return null
  const value = readers[setting.type](setting.numeric ? withoutNumbers(raw) : raw, setting, cwd)
  const outcome = setting.rule === undefined ? { value } : rules[setting.rule](value)
  if ('refused' in outcome) throw new ValueError(outcome.refused, raw, true)
  if ('expected' in outcome) throw new ValueError(`expected ${outcome.expected}`, raw)
  return outcome.value
}

/**
 * The form of a value for a config file, from which {@link readValue} makes the same value.
 *
 * @param value as returned by {@link readValue}
 */
export function writeValue(setting: SettingDefinition, value: unknown): RawValue {
  if (value === null) return null
  if (setting.type === 'addresses') return (value as readonly BindAddress[]).map(formatBindAddress)
  if (setting.type === 'bytes') {
    const text = formatByteSize(value as number)
    return /[kMG]$/.test(text) ? text : (value as number)
  }
  if (setting.type === 'mode' || setting.type === 'umask')
    return `0${(value as number).toString(8)}`
  return value as RawValue
}

/** What a setting accepts, in words: `a whole number from 1 to 256`. */
export function expectation(setting: SettingDefinition): string {
  const { minimum = 0, maximum } = setting
  switch (setting.type) {
    case 'integer':
      return maximum === undefined
        ? `a whole number of at least ${minimum}`
        : `a whole number from ${minimum} to ${maximum}`
    case 'seconds':
      return 'a number of seconds, 0 or more'
    case 'bytes': {
      const least = minimum === 0 ? '' : `, at least ${formatByteSize(minimum)}`
      const range =
        maximum === undefined
          ? least
          : `, from ${formatByteSize(minimum)} to ${formatByteSize(maximum)}`
      return `a size such as 65536, 64k or 1M${range}`
    }
    case 'boolean':
      return 'true or false'
    case 'choice':
      return `one of ${setting.choices!.join(', ')}`
    case 'mode':
      return 'a mode in octal such as 660'
    case 'umask':
      return 'a mask from 0 to 0777, such as 007'
    case 'account':
      return 'a name or a number'
    case 'mapping':
      return 'KEY=VALUE'
    case 'folder-mapping':
      return 'PATH=FOLDER such as /static=./static'
    case 'strings':
      return 'a list of strings'
    case 'addresses':
      return 'addresses to listen on'
    case 'path':
      return 'a path'
    case 'paths':
      return 'a path or a list of paths'
    case 'object':
      return 'an object (in Python, a dictionary)'
    case 'hook':
      return 'a function'
    case 'string':
      return 'a string'
  }
}

type Reader = (raw: unknown, setting: SettingDefinition, cwd: string) => unknown

const readers: Readonly<Record<SettingType, Reader>> = {
  string: text,

  path: (raw, setting, cwd) => absolutePath(text(raw, setting), cwd),

  // Gunicorn's None and empty text mean that there is no file.
  paths: (raw, setting, cwd) =>
    raw === null || raw === '' ? [] : list(raw, setting).map((path) => absolutePath(path, cwd)),

  integer: (raw, setting) => {
    const value = typeof raw === 'string' && /^-?[0-9]+$/.test(raw.trim()) ? Number(raw) : raw
    return within(value, Number.isSafeInteger(value), raw, setting)
  },

  seconds: (raw, setting) => {
    const value =
      typeof raw === 'string' && /^-?([0-9]+(\.[0-9]*)?|\.[0-9]+)$/.test(raw.trim())
        ? Number(raw)
        : raw
    // Timers accept at most 2^31 - 1 milliseconds.
    return within(value, typeof value === 'number' && value * 1000 < 2 ** 31, raw, setting)
  },

  bytes: (raw, setting) => {
    const value = typeof raw === 'string' ? parseByteSize(raw.trim()) : raw
    return within(value, Number.isSafeInteger(value), raw, setting)
  },

  boolean: (raw, setting) => {
    if (typeof raw !== 'boolean') throw new ValueError(`expected ${expectation(setting)}`, raw)
    return raw
  },

  choice: (raw, setting) => {
    if (setting.switchedOn !== undefined && typeof raw === 'boolean')
      return raw ? setting.switchedOn : setting.default
    const text = typeof raw === 'string' ? raw.trim().toLowerCase() : undefined
    const value = text === undefined ? undefined : (setting.spellings?.[text] ?? text)
    if (value === undefined || !setting.choices!.includes(value))
      throw new ValueError(`expected ${expectation(setting)}`, raw)
    return value
  },

  // A number is one of Python's or JavaScript's, where 0o660 is written so.
  mode: (raw, setting) =>
    permissions(typeof raw === 'string' ? octal(raw.trim()) : raw, raw, setting),

  umask: (raw, setting) =>
    permissions(typeof raw === 'string' ? pythonInteger(raw.trim()) : raw, raw, setting),

  account: (raw, setting) => {
    const value = Number.isSafeInteger(raw) && (raw as number) >= 0 ? String(raw) : raw
    if (typeof value !== 'string' || value === '')
      throw new ValueError(`expected ${expectation(setting)}`, raw)
    return value
  },

  strings: commaSeparated,

  addresses: (raw, setting) => {
    const texts = commaSeparated(raw, setting)
    const optional = Array.isArray(setting.default) && setting.default.length === 0
    if (texts.length === 0 && !optional)
      throw new ValueError('expected at least one address to listen on', raw)
    return texts.map((address) => {
      try {
        return parseBindAddress(address)
      } catch (error) {
        if (error instanceof BindAddressError) throw new ValueError(error.message, address)
        throw error
      }
    })
  },

  mapping: pairs,

  'folder-mapping': (raw, setting, cwd) => {
    const folders = Object.entries(pairs(raw, setting))
    if (Array.isArray(raw) && folders.length < new Set(raw).size)
      throw new ValueError('expected one folder for each path', raw)
    return Object.fromEntries(folders.map(([key, folder]) => [key, folderFrom(folder, raw, cwd)]))
  },

  object: (raw, setting) => {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
      throw new ValueError(`expected ${expectation(setting)}`, raw)
    return JSON.parse(JSON.stringify(raw))
  },

  hook: (raw, setting) => {
    if (raw instanceof PythonObject && raw.kind !== 'object') return raw.text
    if (typeof raw === 'function') return raw.name || setting.name
    throw new ValueError(`expected ${expectation(setting)}`, raw)
  },
}

/** @example withoutNumbers({ br: 5 }) // { br: '5' } */
function withoutNumbers(raw: unknown): unknown {
  if (typeof raw === 'number') return String(raw)
  if (Array.isArray(raw)) return raw.map(withoutNumbers)
  if (typeof raw !== 'object' || raw === null) return raw
  return Object.fromEntries(Object.entries(raw).map(([key, one]) => [key, withoutNumbers(one)]))
}

function absolutePath(path: string, cwd: string): string {
  if (path === '' || path.includes('\0')) throw new ValueError('expected a path', path)
  return path === '-' || isAbsolute(path) ? path : resolve(cwd, path)
}

function text(raw: unknown, setting: SettingDefinition): string {
  if (typeof raw !== 'string') throw new ValueError(`expected ${expectation(setting)}`, raw)
  return raw
}

function list(raw: unknown, setting: SettingDefinition): string[] {
  if (typeof raw === 'string') return [raw]
  if (!Array.isArray(raw)) throw new ValueError(`expected ${expectation(setting)}`, raw)
  return raw.map((item) => text(item, setting))
}

function pairs(raw: unknown, setting: SettingDefinition): Record<string, string> {
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    for (const value of Object.values(raw))
      if (typeof value !== 'string') throw new ValueError('expected strings as values', value)
    return { ...(raw as Record<string, string>) }
  }
  const entries = list(raw, setting).map((pair) => {
    const equals = pair.indexOf('=')
    if (equals === -1) throw new ValueError(`expected ${expectation(setting)}`, pair)
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const
  })
  return Object.fromEntries(entries)
}

function folderFrom(folder: string, raw: unknown, cwd: string): string {
  if (folder === '' || folder.includes('\0')) throw new ValueError('expected a folder', raw)
  return resolve(cwd, folder)
}

function commaSeparated(raw: unknown, setting: SettingDefinition): string[] {
  return list(raw, setting)
    .flatMap((item) => item.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function permissions(value: unknown, raw: unknown, setting: SettingDefinition): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > 0o777)
    throw new ValueError(`expected ${expectation(setting)}`, raw)
  return value as number
}

function octal(text: string): number {
  return /^(0o)?[0-7]+$/i.test(text) ? Number.parseInt(text.replace(/^0o/i, ''), 8) : Number.NaN
}

/** As Gunicorn reads its umask: int(text, 0) of Python, and a leading 0 for octal. */
function pythonInteger(text: string): number {
  if (/^0[0-9]/.test(text)) return octal(text)
  return /^([1-9][0-9]*|0|0o[0-7]+|0x[0-9a-f]+|0b[01]+)$/i.test(text) ? Number(text) : Number.NaN
}

function within(
  value: unknown,
  wellFormed: boolean,
  raw: unknown,
  setting: SettingDefinition,
): number {
  const { minimum = 0, maximum = Number.POSITIVE_INFINITY } = setting
  if (!wellFormed || typeof value !== 'number' || !(value >= minimum && value <= maximum)) {
    throw new ValueError(`expected ${expectation(setting)}`, raw)
  }
  return value
}
