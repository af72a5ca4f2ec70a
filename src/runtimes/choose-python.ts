import { tmpdir } from 'node:os'
import { findSystemPython, type Interpreter, InterpreterError } from './cpython/interpreter.ts'
import { preloadedWorkers } from './cpython/preload.ts'
import { workerProcesses } from './cpython/worker-process.ts'
import { parseMount, planMounts } from './pyodide/files/mounts.ts'
import {
  type InterpreterImage,
  keepSnapshot,
  loadImage,
  snapshotFits,
} from './pyodide/image/image.ts'
import { pythonFolder } from './pyodide/package.ts'
import { workerThreads } from './pyodide/worker/worker-thread.ts'
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
  readonly workerMemory: number | null
  /** A folder for files that the workers and this process share. */
  readonly directory: string
  /** A folder that only this user can enter, for sockets. Defaults to `directory`. */
  readonly sockets?: string
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

/**
 * Finds the Python to use.
 * @throws InterpreterError, MountError; Error if the embedded interpreter's files are unreadable
 */
export async function choosePython(request: PythonRequest): Promise<Python> {
  if (request.runtime === 'pyodide') return await embedded(request, null)
  const { python, chdir, rawEnv, option } = request
  try {
    return installed(
      request,
      await findSystemPython(python, chdir, { ...process.env, ...rawEnv }, option),
    )
  } catch (error) {
    if (!(error instanceof InterpreterError) || request.runtime !== 'auto' || python !== null)
      throw error
    return await embedded(request, error.message)
  }
}

function installed(
  { rawEnv, directory, sockets = directory }: PythonRequest,
  interpreter: Interpreter,
): Python {
  const options = { interpreter, environment: rawEnv, directory, sockets }
  return {
    runtime: 'cpython',
    executable: interpreter.executable,
    start: workerProcesses(options),
    preload: preloadedWorkers(options),
    insteadOf: null,
    settle: () => {},
  }
}

async function embedded(request: PythonRequest, insteadOf: string | null): Promise<Python> {
  const { chdir, pythonpath, rawEnv, inheritEnv, workerMemory } = request
  const mounts = planMounts({
    chdir,
    pythonPath: pythonpath,
    temporary: tmpdir(),
    asked: request.mounts.map((mount) => parseMount(mount, chdir)),
    own: [pythonFolder],
  })
  const environment = withTemporaryFolder({ ...(inheritEnv ? ownEnvironment() : {}), ...rawEnv })
  const load = async (): Promise<InterpreterImage> => {
    const image = await loadImage()
    return snapshotFits(environment) ? image : { ...image, snapshot: null }
  }
  const threads = { image: await load(), mounts, environment, memoryLimit: workerMemory }
  return {
    runtime: 'pyodide',
    executable: 'embedded',
    start: workerThreads(threads),
    preload: null,
    insteadOf,
    settle: () => {
      if (threads.image.snapshot !== null || !snapshotFits(environment)) return
      // Later workers start from the snapshot.
      void keepSnapshot()
        .then(load)
        .then((image) => {
          threads.image = image
        })
        .catch(() => {}) // without a snapshot, they start as the first ones did
    },
  }
}

/**
 * Tells Python the folder for temporary files. On its own it would use /tmp, which is in the
 * interpreter's memory if the real folder is another one.
 */
function withTemporaryFolder(environment: Record<string, string>): Record<string, string> {
  const folder = tmpdir()
  const given = ['TMPDIR', 'TEMP', 'TMP'].some((name) => environment[name])
  return given || folder === '/tmp' ? environment : { ...environment, TMPDIR: folder }
}

function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  )
}
