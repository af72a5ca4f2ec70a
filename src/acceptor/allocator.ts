import { mayFindInterpreter } from '../runtimes/cpython/interpreter.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'

/**
 * How glibc's `malloc` is to keep house in an acceptor that has embedded interpreters: what V8's
 * compilers and Pyodide's start take and give back would stay with the process, in a heap for each
 * of V8's threads. Elsewhere than with glibc nobody reads these.
 */
const settings: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '1048576',
  MALLOC_TRIM_THRESHOLD_: '1048576',
}

/** Says that the settings are ours. */
const MARK = 'MONOCEROS_ALLOCATOR'

/**
 * The environment to start such a process with. Whoever sets one of these themselves has it their
 * way, in all of them.
 */
export function withAllocator(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = ['GLIBC_TUNABLES', ...Object.keys(settings)]
  if (own.some((name) => environment[name] !== undefined)) return environment
  return { ...environment, ...settings, [MARK]: 'own' }
}

/**
 * Whether an acceptor with these settings will have embedded interpreters, as far as that can be
 * told without running a Python. Others have nothing of this but dearer uploads.
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
 * Takes them out again, first of all in that process: `malloc` has read them, and they are not for
 * the application and its commands.
 */
export function forgetAllocator(environment: NodeJS.ProcessEnv): void {
  if (environment[MARK] === undefined) return
  for (const name of [MARK, ...Object.keys(settings)]) delete environment[name]
}
