import { resolve } from 'node:path'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { quoted } from '../settings/settings-error.ts'
import { didYouMean } from '../settings/suggestion.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { readValue, ValueError } from '../settings/value.ts'
import { PythonOptionError } from './python-error.ts'
import { logToProcess, type PythonLog } from './python-log.ts'

/**
 * How a Python application is run. What has a name of the server's settings means the same, and has
 * the same default.
 */
export interface PythonAppOptions {
  /**
   * Worker processes that run the application; 1 unless said otherwise. Each process that makes a
   * `pythonApp` has its own.
   */
  workers?: number
  /** Requests that a worker runs at the same time, in threads; 1 unless said otherwise. */
  threads?: number
  /**
   * `'cpython'`: an interpreter of the system; `'pyodide'`: the embedded one; `'auto'`, the
   * default: the embedded one where the system has none.
   */
  runtime?: 'auto' | 'cpython' | 'pyodide'
  /**
   * The interpreter: a path or a name on PATH; else that of `$VIRTUAL_ENV`, else of `.venv` in
   * `chdir`, else `python3`.
   */
  python?: string | null
  /**
   * The folder in which the application runs and modules are looked for; the current one unless
   * said otherwise.
   */
  chdir?: string
  /** Folders to look for modules in, before all others; relative ones are relative to `chdir`. */
  pythonpath?: string | readonly string[]
  /**
   * Environment variables for the workers, beside those of this process (which the embedded Python
   * gets only with `inheritEnv`).
   */
  env?: Readonly<Record<string, string>>
  /** Gives the embedded Python the environment variables of this process. */
  inheritEnv?: boolean
  /**
   * Files and folders that the embedded Python sees beside `chdir`, `pythonpath` and the folder for
   * temporary files: `PATH` or `PATH:ro`.
   */
  mounts?: string | readonly string[]
  /**
   * The most memory that an interpreter of the embedded Python may have, in bytes or as `'256M'`.
   */
  workerMemory?: number | string | null
  /** Seconds that the application may take over one request (30); 0 for ever. */
  timeout?: number
  /** Seconds that a worker may take to load the application (120); 0 disables the limit. */
  loadTimeout?: number
  /**
   * Seconds that running requests have to finish in when the application is closed or a worker is
   * replaced (30).
   */
  gracefulTimeout?: number
  /** Requests after which a worker is replaced; 0, the default, is never. */
  maxRequests?: number
  /** Up to that many more, at random. */
  maxRequestsJitter?: number
  /** Requests that may wait for a worker (2048); for more there is an error with the status 503. */
  backlogLimit?: number
  /**
   * Whether a request's body is read whole before a worker is engaged (true); if not, `wsgi.input`
   * blocks until it comes.
   */
  requestBuffering?: boolean
  /**
   * How much of a body that is read whole is kept in memory, in bytes or as `'1M'`, the default; a
   * larger one goes to a temporary file.
   */
  requestBufferSize?: number | string
  /** The folder for these files; the system's own unless said otherwise. */
  tmpUploadDir?: string | null
  /**
   * How far the application may be ahead of who takes its response, in bytes or as `'256k'`, the
   * default.
   */
  responseWindow?: number | string
  /**
   * Whether the application is held to PEP 3333 to the letter (false); see the setting of that
   * name.
   */
  strict?: boolean
  /**
   * Where the application's output and the workers' messages go; to standard error, in the form of
   * the server's error log, unless said otherwise.
   */
  log?: PythonLog
}

/** The settings that are options too. */
const NAMES = [
  'workers',
  'threads',
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
] as const

/** The options, checked and complete. */
export type CheckedOptions = Pick<
  Settings,
  | 'workers'
  | 'threads'
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
> & { readonly runtime: 'auto' | 'cpython' | 'pyodide'; readonly log: PythonLog }

/** @throws PythonOptionError */
export function checkOptions(options: PythonAppOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null)
    throw new PythonOptionError(`pythonApp: the options must be an object, not ${quoted(options)}`)
  const given = options as Record<string, unknown>
  const checked: Record<string, unknown> = {}
  const known = new Set(['log'])
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
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue
    throw new PythonOptionError(
      `pythonApp has no option ${quoted(name)}${didYouMean(name, [...known])}`,
    )
  }
  const { log = logToProcess } = options
  if (typeof log !== 'function')
    throw new PythonOptionError(
      `pythonApp: log must be a function that takes an entry, not ${quoted(log)}`,
    )
  const { chdir, pythonpath, ...others } = checked as unknown as CheckedOptions
  return { ...others, chdir, pythonpath: pythonpath.map((folder) => resolve(chdir, folder)), log }
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
