import type { Settings } from './table.ts'

/**
 * The runtime that the settings ask for, by its name or by the name of the application.
 *
 * With `runtime` `auto`, `cpython` stands for any Python: if the system has no interpreter, the
 * embedded one takes its place.
 */
export function runtimeOf({
  runtime,
  wsgiApp,
}: Pick<Settings, 'runtime' | 'wsgiApp'>): 'cpython' | 'pyodide' | 'node' {
  if (runtime !== 'auto') return runtime
  return /\.(?:[cm]?[jt]s|[jt]sx)(:|$)/.test(wsgiApp) ? 'node' : 'cpython'
}

/**
 * How many acceptors the settings ask for.
 *
 * A TypeScript application runs in the acceptors themselves, so there are as many as workers. The
 * embedded Python has one, because its file locks do not work across processes.
 */
export function acceptorsOf(settings: Settings): number {
  const runtime = runtimeOf(settings)
  if (runtime === 'node') return settings.workers
  return runtime === 'pyodide' ? 1 : settings.acceptors
}
