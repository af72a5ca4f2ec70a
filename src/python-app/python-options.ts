import { resolve } from 'node:path'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { quoted } from '../settings/settings-error.ts'
import { didYouMean } from '../settings/suggestion.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { readValue, ValueError } from '../settings/value.ts'
import { PythonOptionError } from './python-error.ts'
import { logToProcess, type PythonLog } from './python-log.ts'
import type { PythonReloadEvent } from './python-reload-event.ts'

/**
 * How a Python application is run. Options with the name of a setting of the server have the same
 * meaning and the same default.
 */
export interface PythonAppOptions {
  /**
   * Worker processes that run the application. Defaults to 1. Each process that makes a `pythonApp`
   * has its own workers.
   */
  workers?: number
  /** Requests that a worker runs at the same time, in threads. Defaults to 1. */
  threads?: number
  /**
   * `'gevent'`: each request in a greenlet, for an application that mostly waits for others. Not
   * for the embedded Python. Defaults to `'sync'`: in threads.
   */
  workerClass?: 'sync' | 'gthread' | 'gevent'
  /** Requests that a worker runs at the same time with `'gevent'`. Defaults to 1000. */
  workerConnections?: number
  /**
   * `'cpython'`: an interpreter of the system. `'pyodide'`: the embedded one. Defaults to `'auto'`:
   * the embedded one if the system has none.
   */
  runtime?: 'auto' | 'cpython' | 'pyodide'
  /**
   * The interpreter: a path or a name on PATH. Defaults to the one in `$VIRTUAL_ENV`, or in `.venv`
   * of `chdir`, or `python3`.
   */
  python?: string | null
  /**
   * The folder in which the application runs, and in which its modules are searched. Defaults to
   * the current folder.
   */
  chdir?: string
  /** Folders to search for modules before all others. Relative paths start from `chdir`. */
  pythonpath?: string | readonly string[]
  /**
   * Environment variables for the workers, beside those of this process. The embedded Python gets
   * those of this process only with `inheritEnv`.
   */
  env?: Readonly<Record<string, string>>
  /** Gives the embedded Python the environment variables of this process. */
  inheritEnv?: boolean
  /**
   * Files and folders that the embedded Python sees beside `chdir`, `pythonpath` and the folder for
   * temporary files: `PATH` or `PATH:ro`.
   */
  mounts?: string | readonly string[]
  /** The most memory of an interpreter of the embedded Python, in bytes or as `'256M'`. */
  workerMemory?: number | string | null
  /**
   * Seconds that the application may take for one request. Defaults to 30; 0 disables the limit.
   */
  timeout?: number
  /** Seconds that a worker may take to load the application. Defaults to 120; 0: no limit. */
  loadTimeout?: number
  /**
   * Seconds that running requests have to finish when the application is closed or a worker is
   * replaced. Defaults to 30.
   */
  gracefulTimeout?: number
  /** Requests after which a worker is replaced. Defaults to 0: never. */
  maxRequests?: number
  /** Up to that many more requests, at random. */
  maxRequestsJitter?: number
  /** Requests that may wait for a worker. Defaults to 2048; more throw an error with status 503. */
  backlogLimit?: number
  /**
   * Whether a request's body is read whole before the request goes to a worker. Defaults to true.
   * If it is false, `wsgi.input` waits for the body.
   */
  requestBuffering?: boolean
  /**
   * How much of a body that is read whole is kept in memory, in bytes or as `'1M'`, the default. A
   * larger body goes to a temporary file.
   */
  requestBufferSize?: number | string
  /** The folder for these files. Defaults to that of the system. */
  tmpUploadDir?: string | null
  /**
   * How far the application may be ahead of the consumer of its response, in bytes or as `'256k'`,
   * the default.
   */
  responseWindow?: number | string
  /**
   * Whether every violation of PEP 3333 is an error. Defaults to false; see the setting `strict`.
   */
  strict?: boolean
  /**
   * For development: whether the application is loaded again when one of its files changes, also
   * templates and new modules. While it cannot be loaded, requests get the error
   * (`PythonLoadError`). Defaults to false.
   */
  reload?: boolean
  /** Other files whose change reloads the application, such as `'locale/*.mo'`. */
  reloadExtraFiles?: string | readonly string[]
  /** How `reload` notices changes; `'poll'` also on network drives. Defaults to `'auto'`. */
  reloadEngine?: 'auto' | 'poll' | 'inotify'
  /** Called after each reload that a change has caused, such as to refresh a page. */
  onReload?: (event: PythonReloadEvent) => void
  /**
   * Whether this application and others in the process with the same options have the same workers.
   * Defaults to true if `NODE_ENV` is `development`: Next.js, Vite and others run a module again
   * when it is edited, and the workers of the last time would stay.
   */
  shared?: boolean
  /**
   * Where the application's output and the workers' messages go. Defaults to standard error, in the
   * form of the server's error log.
   */
  log?: PythonLog
}

/** The settings that are also options. */
const NAMES = [
  'workers',
  'threads',
  'worker_class',
  'worker_connections',
  'runtime',
  'python',
  'inherit_env',
  'mounts',
  'worker_memory',
  'chdir',
  'pythonpath',
  'timeout',
  'load_timeout',
  'graceful_timeout',
  'max_requests',
  'max_requests_jitter',
  'backlog_limit',
  'request_buffering',
  'request_buffer_size',
  'tmp_upload_dir',
  'response_window',
  'strict',
  'raw_env',
  'reload',
  'reload_engine',
  'reload_extra_files',
] as const

/** All options, checked. */
export type CheckedOptions = Pick<
  Settings,
  | 'workers'
  | 'threads'
  | 'workerClass'
  | 'workerConnections'
  | 'python'
  | 'inheritEnv'
  | 'mounts'
  | 'workerMemory'
  | 'chdir'
  | 'pythonpath'
  | 'timeout'
  | 'loadTimeout'
  | 'gracefulTimeout'
  | 'maxRequests'
  | 'maxRequestsJitter'
  | 'backlogLimit'
  | 'requestBuffering'
  | 'requestBufferSize'
  | 'tmpUploadDir'
  | 'responseWindow'
  | 'strict'
  | 'rawEnv'
  | 'reload'
  | 'reloadEngine'
  | 'reloadExtraFiles'
> & {
  readonly runtime: 'auto' | 'cpython' | 'pyodide'
  readonly log: PythonLog
  readonly onReload: ((event: PythonReloadEvent) => void) | null
  readonly shared: boolean
}

/** @throws PythonOptionError */
export function checkOptions(options: PythonAppOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null)
    throw new PythonOptionError(`pythonApp: the options must be an object, not ${quoted(options)}`)
  const given = options as Record<string, unknown>
  const checked: Record<string, unknown> = {}
  const known = new Set(['log', 'onReload', 'shared'])
  for (const name of NAMES) {
    const setting = settingsTable.find((entry) => entry.name === name)! as SettingDefinition
    const option = name === 'raw_env' ? 'env' : camelCase(name)
    known.add(option)
    checked[camelCase(name)] = check(setting, option, given[option])
  }
  if (checked.runtime === 'node') {
    throw new PythonOptionError(
      'pythonApp: runtime: expected one of auto, cpython, pyodide, got "node"',
    )
  }
  if (checked.runtime === 'pyodide' && checked.workerClass === 'gevent') {
    throw new PythonOptionError(
      "pythonApp: workerClass 'gevent' needs the system's Python: the embedded one has no sockets",
    )
  }
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue
    throw new PythonOptionError(
      `pythonApp has no option ${quoted(name)}${didYouMean(name, [...known])}`,
    )
  }
  const { log = logToProcess, onReload = null } = options
  const { shared = process.env.NODE_ENV === 'development' } = options
  if (typeof log !== 'function')
    throw new PythonOptionError(
      `pythonApp: log must be a function that takes an entry, not ${quoted(log)}`,
    )
  if (onReload !== null && typeof onReload !== 'function')
    throw new PythonOptionError(
      `pythonApp: onReload must be a function that takes an event, not ${quoted(onReload)}`,
    )
  if (typeof shared !== 'boolean')
    throw new PythonOptionError(`pythonApp: shared must be true or false, not ${quoted(shared)}`)
  const { chdir, pythonpath, ...others } = checked as unknown as CheckedOptions
  const folders = pythonpath.map((folder) => resolve(chdir, folder))
  return { ...others, chdir, pythonpath: folders, shared, log, onReload }
}

function check(setting: SettingDefinition, option: string, value: unknown): unknown {
  try {
    return readValue(setting, value === undefined ? setting.default : value, process.cwd())
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    throw new PythonOptionError(
      `pythonApp: ${option}: ${error.message}, got ${quoted(error.value)}`,
    )
  }
}
