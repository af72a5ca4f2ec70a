import { coded } from '../messages/coded.ts'
import type { GivenValue } from './command-line.ts'
import { camelCase, type SettingDefinition } from './definition.ts'
import { runtimeOf } from './runtime.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

type RuntimeName = ReturnType<typeof runtimeOf>

const BOTH_PYTHONS: readonly RuntimeName[] = ['cpython', 'pyodide']

/** Settings that only some runtimes use, with these runtimes. */
const MEANT_FOR: Readonly<Record<string, readonly RuntimeName[]>> = {
  worker_class: ['cpython'],
  threads: ['cpython'],
  preload_app: ['cpython'],
  lend_sockets: ['cpython'],
  max_worker_memory: ['cpython', 'node'],
  max_worker_memory_jitter: ['cpython', 'node'],
  worker_connections: ['cpython'],
  worker_tmp_dir: ['cpython'],
  python: ['cpython'],
  acceptors: ['cpython'],
  pythonpath: BOTH_PYTHONS,
  backlog_limit: BOTH_PYTHONS,
  logconfig: BOTH_PYTHONS,
  logconfig_json: BOTH_PYTHONS,
  logconfig_dict: BOTH_PYTHONS,
  request_buffering: BOTH_PYTHONS,
  request_buffer_size: BOTH_PYTHONS,
  inherit_env: ['pyodide'],
  mounts: ['pyodide'],
  worker_memory: ['pyodide'],
}

/** Settings that only change what another one switches on. */
const CHANGES: Readonly<Record<string, string>> = {
  rate_limit_store: 'rate_limit',
  control_token_file: 'metrics_bind',
  rate_limit_exempt: 'rate_limit',
  cache_entry_size: 'cache',
  cache_wait: 'cache',
  cache_heuristic: 'cache',
  cache_purge_from: 'cache',
  compress_minimum: 'compress',
  compress_level: 'compress',
  static_cache_control: 'static',
  static_immutable: 'static',
  proxy_protocol_tls: 'proxy_protocol',
}

const RUNS: Readonly<Record<RuntimeName, string>> = {
  node: 'an application in TypeScript or JavaScript',
  cpython: "the system's Python",
  pyodide: 'the embedded Python',
}

/** What to do instead, or what happens instead, by runtime and setting. */
const INSTEAD: Readonly<Record<string, string>> = {
  'node acceptors': '; --workers sets its number of processes',
  'pyodide acceptors':
    ', which has one: its file locks, which SQLite needs, do not work across processes',
  'pyodide threads': ', which has no threads; use --workers',
  'pyodide max_worker_memory': '; use --worker-memory',
  'pyodide preload_app': ', whose interpreters share nothing',
  'node preload_app': ': each process loads it',
  'cpython inherit_env': ', which always has them',
  'cpython mounts': ', which sees all files',
}

/**
 * Notes on settings that were given but have no effect on this application.
 *
 * @param given the value of a setting that the user gave, by name
 * @throws SettingsError if the runtime cannot run the application
 */
export function notesOnMeaningless(
  table: readonly SettingDefinition[],
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
): string[] {
  const { wsgiApp } = settings
  const runtime = runtimeOf(settings)
  // A Python module may be called "ts", so only a path is certain to be a file.
  if (runtime !== 'node' && /[\\/].*\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp)) {
    throw new SettingsError(
      'bad-value',
      coded(
        'MONO1047',
        `runtime ${runtime} runs Python modules, but ${wsgiApp} is a file for the runtime node. ` +
          'Leave the runtime out',
      ),
    )
  }
  if (runtime === 'pyodide' && settings.workerClass === 'gevent') {
    throw new SettingsError(
      'bad-value',
      coded(
        'MONO1046',
        'worker_class gevent is not supported by the embedded Python, which has no sockets to ' +
          'wait ' +
          "for. Use the system's Python, or more --workers",
      ),
    )
  }
  // With `auto`, it is not known yet which Python it will be.
  const possible = settings.runtime === 'auto' && runtime !== 'node' ? BOTH_PYTHONS : [runtime]
  // A config file from --print-config has all settings.
  const isDefault = (name: string) => {
    const value = settings[camelCase(name) as keyof Settings]
    const setting = table.find((one) => one.name === name)
    return JSON.stringify(value) === JSON.stringify(setting?.default)
  }
  const noticed = (name: string) => (isDefault(name) ? undefined : given(name))
  const notes: string[] = []
  for (const { name } of table) {
    const meant = MEANT_FOR[name]
    if (meant === undefined || meant.some((one) => possible.includes(one))) continue
    const found = noticed(name)
    if (found === undefined) continue
    notes.push(
      `${found.label} has no effect on ${RUNS[runtime]}${INSTEAD[`${runtime} ${name}`] ?? ''}`,
    )
  }
  for (const [name, other] of Object.entries(CHANGES)) {
    if (!isDefault(other)) continue
    const found = noticed(name)
    if (found !== undefined) notes.push(`${found.label} has no effect without ${other}`)
  }
  if (runtime === 'cpython') notes.push(...notesOnClass(settings, noticed))
  return notes
}

/** Notes on settings that have no effect with the class of the workers. */
function notesOnClass(
  { workerClass }: Settings,
  noticed: (name: string) => GivenValue | undefined,
): string[] {
  if (workerClass === 'gevent') {
    const threads = noticed('threads')
    if (threads === undefined) return []
    return [`${threads.label} has no effect with worker_class gevent; use --worker-connections`]
  }
  const connections = noticed('worker_connections')
  if (connections === undefined) return []
  const why = 'where connections do not occupy workers; --max-connections limits them'
  return [`${connections.label} has no effect with worker_class ${workerClass}, ${why}`]
}
