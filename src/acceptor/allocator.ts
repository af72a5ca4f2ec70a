import { mayFindInterpreter } from '../runtimes/cpython/interpreter.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'

/**
 * Settings of glibc's `malloc` for acceptors with embedded interpreters. Without them, the process
 * would keep memory that V8's compilers and Pyodide's start have freed, in a heap for each of V8's
 * threads. Other C libraries ignore them.
 */
const MALLOC_SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '1048576',
  MALLOC_TRIM_THRESHOLD_: '1048576',
}

/** Marks an environment to which these settings were added. */
const MARK = 'MONOCEROS_ALLOCATOR'

/**
 * An environment with these settings. If the user has set any of them, it is returned unchanged.
 */
export function withAllocator(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = ['GLIBC_TUNABLES', ...Object.keys(MALLOC_SETTINGS)]
  if (own.some((name) => environment[name] !== undefined)) return environment
  return { ...environment, ...MALLOC_SETTINGS, [MARK]: 'own' }
}

/**
 * Whether an acceptor with these settings will have embedded interpreters, as far as that is known
 * without running a Python. Other acceptors gain nothing, and uploads would cost them more.
 */
export function willEmbed(
  settings: Pick<Settings, 'runtime' | 'wsgiApp' | 'python' | 'chdir'>,
  environment: NodeJS.ProcessEnv,
): boolean {
  if (settings.runtime !== 'auto') return settings.runtime === 'pyodide'
  if (runtimeOf(settings) !== 'cpython' || settings.python !== null) return false
  return !mayFindInterpreter(settings.chdir, environment)
}

/**
 * Removes these settings from the environment of the acceptor itself. `malloc` has read them; the
 * application and its child processes must not get them.
 */
export function forgetAllocator(environment: NodeJS.ProcessEnv): void {
  if (environment[MARK] === undefined) return
  for (const name of [MARK, ...Object.keys(MALLOC_SETTINGS)]) delete environment[name]
}
