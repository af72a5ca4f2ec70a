import type { Settings } from './table.ts'

/**
 * Which runtime the settings ask for: by name, or by what the application is named. Where none was
 * asked for, `cpython` stands for Python: without an interpreter on the system it is the embedded
 * one.
 */
export function runtimeOf({
  runtime,
  wsgiApp,
}: Pick<Settings, 'runtime' | 'wsgiApp'>): 'cpython' | 'pyodide' | 'node' {
  if (runtime !== 'auto') return runtime
  return /\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp) ? 'node' : 'cpython'
}

/**
 * How many acceptors the settings ask for. An application that runs in the acceptors themselves has
 * as many of them as it has workers. The embedded Python has one: what its workers lock in files,
 * those in another process would not see.
 */
export function acceptorsOf(settings: Settings): number {
  const runtime = runtimeOf(settings)
  if (runtime === 'node') return settings.workers
  return runtime === 'pyodide' ? 1 : settings.acceptors
}
