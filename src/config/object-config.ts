/** Config files that are an object: JSON, or the default export of a module. */
import { existsSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { coded } from '../messages/coded.ts'
import { packagePython } from '../process/python-command.ts'
import { importFailureText, importFile } from '../runtimes/node/import-file.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'
import { type GivenKeys, givenKeys } from './given-keys.ts'

/**
 * Reads a config file. Keys are names of settings in snake_case or camelCase, or Gunicorn's names.
 *
 * A module runs again on each call, so that a reload sees its changes.
 *
 * @param path absolute
 * @param name of the file, for messages
 * @throws SettingsError with the file and the key in its message
 */
export async function readObjectConfig(path: string, name: string): Promise<GivenKeys> {
  const contents = extname(path) === '.json' ? readJson(path, name) : await runModule(path, name)
  if (typeof contents !== 'object' || contents === null || Array.isArray(contents)) {
    throw new SettingsError(
      'config-file',
      coded('MONO1107', `${name}: expected an object of settings, got ${quoted(contents)}`),
    )
  }
  return givenKeys(contents as Record<string, unknown>, () => name)
}

/** The error for a config file that cannot be read. */
export function cannotRead(name: string, error?: unknown): SettingsError {
  const code = error instanceof Error && 'code' in error ? error.code : 'ENOENT'
  const reason =
    code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : oneLine(error)
  return new SettingsError(
    'config-file',
    coded('MONO1104', `Cannot read config file ${quoted(name)}: ${reason}`),
  )
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
    throw new SettingsError(
      'config-file',
      coded('MONO1105', `${name}: not valid JSON: ${oneLine(error)}`),
    )
  }
}

async function runModule(path: string, name: string): Promise<unknown> {
  if (!existsSync(path)) throw cannotRead(name)
  let contents: Record<string, unknown>
  try {
    contents = await importFile(path, true)
  } catch (error) {
    const text = await importFailureText(error, path)
    throw new SettingsError(
      'config-file',
      coded('MONO1106', `${name} could not be read\n${text}${adviceOn(text)}`),
    )
  }
  if (!('default' in contents)) {
    throw new SettingsError(
      'config-file',
      coded(
        'MONO1107',
        `${name}: no default export; add one, such as "export default { workers: 2 }"`,
      ),
    )
  }
  return contents.default
}

/** The command may be installed for all projects, where a file of one does not find the package. */
function adviceOn(failure: string): string {
  if (!/Cannot find (?:module|package) 'monoceros'/.test(failure)) return ''
  const without = 'xport the settings without defineConfig(): export default { workers: 2 }'
  // The package of pip has no API in TypeScript.
  if (packagePython() !== null) return `\nE${without}`
  return `\nInstall the package beside the file (npm install monoceros), or e${without}`
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n', 1)[0]!
}
