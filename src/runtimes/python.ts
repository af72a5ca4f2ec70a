import type { WorkerStarter } from './workers/worker-handle.ts'
import type { WorkerOptions } from './workers/worker-options.ts'

/** Which Python to find, and what its workers get. The names are those of the settings. */
export interface PythonRequest {
  /** `auto`: the system's Python, or the embedded one if there is none. */
  readonly runtime: 'auto' | 'cpython' | 'pyodide'
  readonly python: string | null
  readonly chdir: string
  readonly pythonpath: readonly string[]
  readonly rawEnv: Readonly<Record<string, string>>
  readonly inheritEnv: boolean
  readonly mounts: readonly string[]
  /** Paths that the embedded Python needs beside the application's, such as its configuration. */
  readonly needed?: readonly string[]
  readonly workerMemory: number | null
  /** A folder for files that the workers and this process share. */
  readonly directory: string
  /** A folder that only this user can enter, for sockets. Defaults to `directory`. */
  readonly sockets?: string
  /** Whether clients' sockets may be lent to workers that are processes. Defaults to false. */
  readonly lending?: boolean
  /** The name of the setting `python` in messages. Defaults to `--python`. */
  readonly option?: string
}

/** A Python that was found, and how to start its workers. */
export interface Python {
  readonly runtime: 'cpython' | 'pyodide'
  /** The path of the interpreter, or `embedded`. */
  readonly executable: string
  readonly start: WorkerStarter
  /** See `WorkerOptions`; null where processes cannot be forked. */
  readonly preload: NonNullable<WorkerOptions['preload']> | null
  /** Why the system's Python cannot be used; null unless the embedded one takes its place. */
  readonly insteadOf: string | null
  /** To be called when workers serve: makes later starts faster. */
  settle(): void
}
