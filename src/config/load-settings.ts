/**
 * Combines all sources of settings. What only some of them need is loaded when they are there,
 * because it would take a third of the start of a command that has flags only.
 */
import { resolve } from 'node:path'
import { coded } from '../messages/coded.ts'
import type { PythonCommand } from '../process/python-command.ts'
import type { Hooks } from '../runtimes/node/hook-types.ts'
import { type CommandLine, type GivenValue, parseCommandLine } from '../settings/command-line.ts'
import { camelCase, type RawValue, type SettingDefinition } from '../settings/definition.ts'
import { hasLogConfiguration, notesOnAccessFormat } from '../settings/log-options.ts'
import { notesOnMeaningless } from '../settings/meaningless.ts'
import { runtimeOf } from '../settings/runtime.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'
import { splitShellWords } from '../settings/shell-words.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { checkTlsBinds } from '../settings/tls-binds.ts'
import { readValue, ValueError, writeValue } from '../settings/value.ts'
import { codeOfValue } from '../settings/value-codes.ts'
import type { ConfigHost } from './config-host.ts'
import {
  type FoundConfiguration,
  findConfiguration,
  givenConfiguration,
} from './find-configuration.ts'
import { ARBITER_HOOKS, hookFunctions, notesOnHooks } from './hook-functions.ts'
import type { PythonSources, ReadConfiguration } from './read-configuration.ts'

/** Where settings come from. */
export interface SettingsSources {
  /** Arguments of the command, without its name. */
  args?: readonly string[]
  env?: Readonly<Record<string, string | undefined>>
  /** The base of relative paths, and the folder that is searched for a config file. */
  cwd?: string
  /** Whether a Python config file counts if it is found without `--config`. Defaults to true. */
  findGunicorn?: boolean
  /** Ends the loading: the process of a Python config file is killed. */
  signal?: AbortSignal
  /** What the command of the Python package says. */
  pythonCommand?: PythonCommand
  /** `configHost` of the settings in force, for a reload: hooks stay in their process. */
  previous?: ConfigHost | null
}

export interface LoadedSettings {
  settings: Settings
  /** Notes for the user: flags of Gunicorn, and settings, that have no effect. */
  notes: readonly string[]
  /** What the settings were read from, for the log; null if there are only flags and defaults. */
  configuration: string | null
  /**
   * The process that keeps the hooks of a Python config file, if it has any that run beside the
   * arbiter. The caller closes it; `serve` does.
   */
  configHost: ConfigHost | null
  /**
   * Where the settings come from that are not defaults, by their names in a config file:
   * `--workers`, `gunicorn.conf.py: workers`.
   */
  origins: Readonly<Record<string, string>>
  /** What a Python config file wants instead of a server; the command line counts first. */
  command?: Command | null
}

/** What the command does instead of serving. */
export type Command = 'help' | 'version' | 'print-config' | 'check-config'

const table: readonly SettingDefinition[] = settingsTable
const settingNamed = (name: string) => table.find((setting) => setting.name === name)!
const configSetting = settingNamed('config')
const pythonSetting = settingNamed('python')
const runtimeSetting = settingNamed('runtime')
const mountsSetting = settingNamed('mounts')
const chdirSetting = settingNamed('chdir')
/** Environment variables with arguments; the later one counts. */
const COMMAND_VARIABLES = ['GUNICORN_CMD_ARGS', 'MONOCEROS_CMD_ARGS'] as const

/**
 * Combines defaults, environment variables, the config file, GUNICORN_CMD_ARGS, MONOCEROS_CMD_ARGS
 * and the command line; later ones override earlier ones. Without arguments, it returns the
 * defaults.
 *
 * @throws SettingsError with a message for the user; InterpreterError if the config file is in
 * Python and there is no Python
 * @example
 * const { settings } = await loadSettings({ args: process.argv.slice(2), env: process.env })
 */
export async function loadSettings(sources: SettingsSources = {}): Promise<LoadedSettings> {
  const { args = [], env = {}, cwd = process.cwd(), findGunicorn = true } = sources
  const { signal, previous, pythonCommand } = sources
  /** The command line, and before it what the variables have; the first counts. */
  const lines = [parseCommandLine(args), ...commandVariables(env).reverse()]
  if (pythonCommand !== undefined) lines.unshift(await argumentsOfRun(pythonCommand))
  const fromFlags = (name: string) =>
    lines.map(({ values }) => values.get(name)).find((given) => given !== undefined)
  const flag = (setting: SettingDefinition) => {
    const given = fromFlags(setting.name)
    return check(setting, given ?? byDefault(setting, pythonCommand), cwd)
  }
  refuseEmbedded(fromFlags('runtime'), pythonCommand)
  const named = flag(configSetting) as string | null
  const found =
    named === null
      ? findConfiguration(cwd, findGunicorn && mayBePython(fromFlags))
      : givenConfiguration(named, cwd)
  const config: ReadConfiguration =
    found === undefined
      ? { values: new Map(), notes: [], command: null, host: null, embedded: false }
      : await read(found, cwd, {
          python: flag(pythonSetting) as string | null,
          chdir: flag(chdirSetting) as string,
          runtime: flag(runtimeSetting) as Settings['runtime'],
          mounts: flag(mountsSetting) as readonly string[],
          env,
          signal,
          previous,
        })
  try {
    const byHand = (name: string) => fromFlags(name) ?? config.values.get(name)
    const logs = await withLogConfiguration(combine(byHand, env, cwd, pythonCommand), byHand)
    const { settings } = logs
    const functions = hookFunctions(byHand)
    const host =
      found !== undefined && Object.keys(functions).length > 0
        ? await functionHost(found.location, functions)
        : config.host
    const keeps = host?.hooks.some((hook) => ARBITER_HOOKS.includes(hook)) ?? false
    if (!keeps) await host?.close()
    else {
      const { gunicornSettingsOf } = await import('../settings/gunicorn-view.ts')
      host!.settle({
        directory: settings.chdir,
        environ: settings.rawEnv,
        settings: gunicornSettingsOf(settings),
      })
    }
    return {
      settings: { ...settings, config: host?.location ?? found?.location ?? null },
      notes: [
        ...lines.slice(1).flatMap(({ notes }) => notes),
        ...config.notes,
        ...lines[0]!.notes,
        ...logs.notes,
        ...notesOnMeaningless(table, settings, byHand),
        ...notesOnAccessFormat(settings, byHand),
        ...notesOnHooks(settings, byHand, config.embedded),
      ],
      configuration: describe(found, env),
      configHost: keeps ? host : null,
      origins: originsOf(byHand, env),
      command: config.command,
    }
  } catch (error) {
    await config.host?.close()
    throw error
  }
}

async function read(
  found: FoundConfiguration,
  cwd: string,
  sources: PythonSources,
): Promise<ReadConfiguration> {
  const { readConfiguration } = await import('./read-configuration.ts')
  return await readConfiguration(found, cwd, sources)
}

async function functionHost(location: string, functions: Hooks): Promise<ConfigHost> {
  const { FunctionHost } = await import('./function-host.ts')
  return new FunctionHost(location, functions)
}

/** The settings, and notes, with what a configuration of Python's `logging` says, if any. */
async function withLogConfiguration(
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
): Promise<{ settings: Settings; notes: readonly string[] }> {
  if (!hasLogConfiguration(settings)) return { settings, notes: [] }
  const { takeOverLogConfiguration } = await import('../settings/log-configuration.ts')
  return takeOverLogConfiguration(settings, given)
}

function combine(
  byHand: (name: string) => GivenValue | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  pythonCommand: PythonCommand | undefined,
): Settings {
  const settings: Record<string, unknown> = {}
  const read = (setting: SettingDefinition, folder: string) =>
    check(
      setting,
      byHand(setting.name) ?? fromEnvironment(setting, env) ?? byDefault(setting, pythonCommand),
      folder,
    )
  // The server runs there, so other relative paths start there, as in Gunicorn.
  const chdir = read(chdirSetting, cwd) as string
  for (const setting of table) {
    if (setting.command) continue
    const folder = setting === chdirSetting ? cwd : chdir
    settings[camelCase(setting.name)] = read(setting, folder)
  }
  const checked = settings as Settings
  // Gunicorn takes it from the application's environment.
  const script = checked.rawEnv.SCRIPT_NAME
  if (script !== undefined && byHand('root_path') === undefined) {
    const label = `${byHand('raw_env')?.label}: SCRIPT_NAME`
    settings.rootPath = check(settingNamed('root_path'), { raw: script, label }, chdir)
  }
  const pythonpath = checked.pythonpath.map((folder) => resolve(chdir, folder))
  checkTlsBinds(checked)
  refuseEmbedded(byHand('runtime'), pythonCommand)
  if (checked.spa && Object.keys(checked.static).length === 0)
    throw new SettingsError(
      'bad-value',
      coded(
        'MONO1044',
        'spa needs the folder that has the index.html: give it with --static /=./dist',
      ),
    )
  // To refresh a browser is of no use unless something is reloaded.
  return { ...checked, pythonpath, reload: checked.reload || checked.reloadBrowser }
}

function originsOf(
  byHand: (name: string) => GivenValue | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const origins: Record<string, string> = {}
  for (const setting of table) {
    const given = byHand(setting.name) ?? fromEnvironment(setting, env)
    if (given !== undefined) origins[setting.name] = given.label
  }
  return origins
}

function byDefault(setting: SettingDefinition, command: PythonCommand | undefined): GivenValue {
  const { name: label } = setting
  if (setting === pythonSetting && command !== undefined) return { raw: command.executable, label }
  return { raw: setting.default, label }
}

/** The Python package does not have the embedded Python. */
function refuseEmbedded(runtime: GivenValue | undefined, command: PythonCommand | undefined): void {
  if (command === undefined || String(runtime?.raw).toLowerCase() !== 'pyodide') return
  throw new SettingsError(
    'bad-value',
    coded(
      'MONO1045',
      `${runtime?.label}: the embedded Python is not part of this package, ` +
        `which runs applications on ${command.executable}`,
    ),
  )
}

/** The arguments of `monoceros.run`, in the form of a command line before all others. */
async function argumentsOfRun({ settings }: PythonCommand): Promise<CommandLine> {
  if (Object.keys(settings).length === 0) return { values: new Map(), notes: [] }
  const { givenKeys } = await import('./given-keys.ts')
  return givenKeys(settings, () => 'monoceros.run')
}

/** An application in TypeScript does not need a file of Gunicorn that happens to be there. */
function mayBePython(fromFlags: (name: string) => GivenValue | undefined): boolean {
  const runtime = String(fromFlags('runtime')?.raw ?? 'auto') as Settings['runtime']
  return runtimeOf({ runtime, wsgiApp: String(fromFlags('wsgi_app')?.raw ?? '') }) !== 'node'
}

/** `gunicorn.conf.py, GUNICORN_CMD_ARGS` */
function describe(
  found: FoundConfiguration | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  const parts: string[] = []
  if (found !== undefined) {
    const { name, unused } = found
    parts.push(unused.length === 0 ? name : `${name} (not ${unused.join(', ')})`)
  }
  parts.push(...COMMAND_VARIABLES.filter((variable) => (env[variable] ?? '').trim() !== ''))
  return parts.length === 0 ? null : parts.join(', ')
}

/**
 * The command in the arguments; `help` comes first, then `version`. Undefined means to serve.
 *
 * @throws SettingsError for arguments that cannot be parsed
 */
export function commandOf(sources: SettingsSources): Command | undefined {
  const given = parseCommandLine(sources.args ?? []).values
  const fromVariable = (name: string) =>
    commandVariables(sources.env ?? {}).some(({ values }) => values.has(name))
  if (given.has('help')) return 'help'
  if (given.has('version')) return 'version'
  if (given.has('print_config') || fromVariable('print_config')) return 'print-config'
  if (given.has('check_config') || fromVariable('check_config')) return 'check-config'
  return undefined
}

/**
 * Settings in the form of a config file: an object with snake_case keys. Hooks are left out,
 * because JSON has no functions; see {@link hooksOf}.
 */
export function toConfig(settings: Settings): Record<string, RawValue> {
  const config: Record<string, RawValue> = {}
  for (const setting of table) {
    if (setting.command || setting.commandLineOnly) continue
    const value = settings[camelCase(setting.name) as keyof Settings]
    if (setting.type !== 'hook') config[setting.name] = writeValue(setting, value)
  }
  return config
}

/** The names of the hooks that the settings have. */
export function hooksOf(settings: Settings): string[] {
  return table
    .filter(({ name, type }) => type === 'hook' && settings[camelCase(name) as keyof Settings])
    .map(({ name }) => name)
}

function check(setting: SettingDefinition, given: GivenValue, cwd: string): unknown {
  try {
    return readValue(setting, given.raw, cwd)
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    const value =
      Array.isArray(error.value) && error.value.length === 1 ? error.value[0] : error.value
    const got = error.namesValue ? '' : `, got ${quoted(value)}`
    throw new SettingsError(
      'bad-value',
      coded(codeOfValue(setting), `${given.label}: ${error.message}${got}`),
    )
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

/** What the variables in {@link COMMAND_VARIABLES} have, in their order. */
function commandVariables(env: Readonly<Record<string, string | undefined>>): CommandLine[] {
  return COMMAND_VARIABLES.map((variable) => {
    const words = splitShellWords(env[variable] ?? '')
    if (words === undefined)
      throw new SettingsError(
        'bad-arguments',
        coded('MONO1007', `${variable}: a quote is not closed`),
      )
    const line = parseCommandLine(words, variable)
    // Gunicorn ignores an application there.
    if (variable === 'GUNICORN_CMD_ARGS') line.values.delete('wsgi_app')
    return line
  })
}
