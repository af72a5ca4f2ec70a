/** Which hooks a config file gives, in which language, and which of them can be called. */
import { coded } from '../messages/coded.ts'
import type { HookName, Hooks } from '../runtimes/node/hook-types.ts'
import type { GivenValue } from '../settings/command-line.ts'
import { runtimeOf } from '../settings/runtime.ts'
import { hookSettings } from '../settings/sections/hooks.ts'
import { SettingsError } from '../settings/settings-error.ts'
import type { Settings } from '../settings/table.ts'

/** The hooks that run once for the server, beside the arbiter. The others run in workers. */
export const ARBITER_HOOKS: readonly string[] = [
  'on_starting',
  'on_reload',
  'when_ready',
  'pre_fork',
  'child_exit',
  'nworkers_changed',
  'pre_exec',
  'on_exit',
]

/** Hooks that a worker calls when it gets a signal. */
const SIGNALLED: readonly string[] = ['worker_int', 'worker_abort']

/** Hooks that make no sense for an application in TypeScript, with the reason. */
const NOT_IN_TYPESCRIPT: Readonly<Record<string, string>> = {
  pre_fork: 'its processes are not forked; use postFork, which runs in them',
  worker_abort: 'a process whose event loop is blocked runs no hook; see child_exit',
}

/** The functions of a config file in TypeScript or JavaScript, by the names of hooks. */
export function hookFunctions(given: (name: string) => GivenValue | undefined): Hooks {
  const functions: Partial<Record<HookName, unknown>> = {}
  for (const { name } of hookSettings) {
    const raw = given(name)?.raw
    if (typeof raw === 'function') functions[name] = raw
  }
  return functions as Hooks
}

/**
 * Notes on hooks that this application's runtime does not call.
 *
 * @param embedded whether the config file ran on the embedded Python
 * @throws SettingsError for a function in TypeScript that would have to run in a Python worker
 */
export function notesOnHooks(
  settings: Settings,
  given: (name: string) => GivenValue | undefined,
  embedded = false,
): string[] {
  const runtime = embedded ? 'pyodide' : runtimeOf(settings)
  const notes: string[] = []
  for (const { name } of hookSettings) {
    const { raw, label } = given(name) ?? { raw: null, label: name }
    if (raw === null) continue
    const inWorkers = !ARBITER_HOOKS.includes(name)
    const isFunction = typeof raw === 'function'
    if (isFunction && inWorkers && runtime !== 'node') {
      throw new SettingsError(
        'bad-value',
        coded(
          'MONO1048',
          `${label}: this hook runs in the workers, and those of a Python application cannot ` +
            'run a function in TypeScript or JavaScript. Use a gunicorn.conf.py',
        ),
      )
    }
    if (isFunction && runtime === 'node' && name in NOT_IN_TYPESCRIPT)
      notes.push(
        `${label} has no effect on an application in TypeScript: ${NOT_IN_TYPESCRIPT[name]}`,
      )
    if (!isFunction && inWorkers && runtime === 'node')
      notes.push(`${label} has no effect: no Python runs in the workers of this application`)
    if (!isFunction && embedded && !inWorkers)
      notes.push(
        `${label} has no effect on the embedded Python, which keeps nothing beside the server; ` +
          'its hooks run in workers only',
      )
    if (runtime === 'pyodide' && SIGNALLED.includes(name))
      notes.push(`${label} has no effect on the embedded Python, whose workers get no signals`)
  }
  return notes
}
