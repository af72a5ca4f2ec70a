/** Settings from a Python configuration. */
import { coded } from '../messages/coded.ts'
import { gunicornFacts } from '../settings/gunicorn-facts.ts'
import { gunicornFact } from '../settings/gunicorn-values.ts'
import { PythonObject } from '../settings/python-object.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { ConfigHost } from './config-host.ts'
import { type GivenKeys, givenKeys, ownKeysOnly } from './given-keys.ts'

/** A dictionary of this name in the file has settings that Gunicorn does not have. */
const OWN = 'monoceros'

/**
 * The names that are read from a Python configuration. As in Gunicorn, every other name is
 * ignored, so that the file may have variables of its own.
 */
export const CONFIGURATION_NAMES: readonly string[] = [
  ...gunicornFacts.map(({ name }) => name),
  ...ownKeysOnly().keys(),
  OWN,
]

/** What a Python configuration says. */
export interface PythonKeys extends GivenKeys {
  /** What it wants instead of a server: `print_config = True` or `check_config = True`. */
  readonly command: 'print-config' | 'check-config' | null
}

/**
 * The settings of a Python configuration: Gunicorn's names at the top level, and any names in the
 * dictionary `monoceros`, if it has one.
 *
 * @param name of the file, for messages
 * @throws SettingsError
 */
export function pythonKeys(host: ConfigHost, name: string): PythonKeys {
  const values = revived(host.values) as Record<string, unknown>
  const place = (key: string) => (key in host.lines ? `${name}:${host.lines[key]}` : name)
  const gunicorns: Record<string, unknown> = {}
  const ignored: string[] = []
  for (const [key, value] of Object.entries(values)) {
    const fact = gunicornFact(key)
    // Python's booleans are numbers.
    if (fact?.kind === 'integer' && typeof value === 'boolean') gunicorns[key] = Number(value)
    else if (fact !== undefined) gunicorns[key] = value
    else if (key !== OWN) ignored.push(key)
  }
  const wants = (key: string) => {
    const wanted = asBoolean(gunicorns[key])
    if (wanted !== undefined) delete gunicorns[key]
    return wanted === true
  }
  const [prints, checks] = [wants('print_config'), wants('check_config')]
  const command = prints ? 'print-config' : checks ? 'check-config' : null
  const found = givenKeys(gunicorns, place)
  const own = values[OWN]
  // A module of that name, which the file has imported, is not meant.
  if (own !== undefined && !(own instanceof PythonObject)) {
    if (typeof own !== 'object' || own === null || Array.isArray(own)) {
      throw new SettingsError(
        'config-file',
        coded('MONO1107', `${place(OWN)}: ${OWN} is not a dictionary of settings`),
      )
    }
    const { values: more, notes } = givenKeys(
      own as Record<string, unknown>,
      () => `${place(OWN)}: ${OWN}`,
    )
    for (const [setting, given] of more) found.values.set(setting, given)
    found.notes.push(...notes)
  }
  for (const key of ignored) {
    const setting = ownKeysOnly().get(key)!
    // A variable such as `log_level` that a setting of Gunicorn is made from.
    if (found.values.has(setting)) continue
    found.notes.push(
      `${place(key)}: ${key} has no effect: it is not a setting of Gunicorn. ` +
        `If it is meant for Monoceros, write ${OWN} = {"${key}": ...}`,
    )
  }
  return { ...found, command }
}

/** As Gunicorn reads it; undefined if it does not. */
function asBoolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const text = typeof value === 'string' ? value.trim().toLowerCase() : null
  return text === 'true' ? true : text === 'false' ? false : undefined
}

/** Descriptions of Python's objects as {@link PythonObject}s. */
function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived)
  if (typeof value !== 'object' || value === null) return value
  const { $python: kind, text } = value as { $python?: PythonObject['kind']; text?: string }
  if (kind !== undefined && text !== undefined) return new PythonObject(kind, text)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revived(item)]))
}
