import { tmpdir } from 'node:os'
import { findInterpreter, type Interpreter, InterpreterError } from './cpython/interpreter.ts'
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

/** Which Python is wanted, and what its workers are given. The names are those of the settings. */
export interface PythonRequest {
  /** `auto`: the system's, or the embedded one where there is none. */
  readonly runtime: 'auto' | 'cpython' | 'pyodide'
  readonly python: string | null
  readonly chdir: string
  readonly pythonpath: readonly string[]
  readonly rawEnv: Readonly<Record<string, string>>
  readonly inheritEnv: boolean
  readonly mounts: readonly string[]
  readonly workerMemory: number | null
  /** A folder for what workers and we share. */
  readonly directory: string
  /** How the setting `python` is called where messages about it are read. */
  readonly option?: string
}

/** A Python that was found, and how its workers are started. */
export interface Python {
  readonly runtime: 'cpython' | 'pyodide'
  /** The path of the interpreter, or `embedded`. */
  readonly executable: string
  readonly start: WorkerStarter
  /** Why it is the embedded one although nobody asked for it; null where that is not so. */
  readonly insteadOf: string | null
  /** To be called when workers serve: prepares what later starts gain by. */
  settle(): void
}

/**
 * @throws InterpreterError, MountError, Error when the embedded interpreter's files cannot be read
 */
export async function findPython(request: PythonRequest): Promise<Python> {
  if (request.runtime === 'pyodide') return await embedded(request, null)
  const { python, chdir, rawEnv, option } = request
  try {
    return installed(
      request,
      await findInterpreter(python, chdir, { ...process.env, ...rawEnv }, option),
    )
  } catch (error) {
    if (!(error instanceof InterpreterError) || request.runtime !== 'auto' || python !== null)
      throw error
    return await embedded(request, error.message)
  }
}

function installed({ rawEnv, directory }: PythonRequest, interpreter: Interpreter): Python {
  return {
    runtime: 'cpython',
    executable: interpreter.executable,
    start: workerProcesses({ interpreter, environment: rawEnv, directory }),
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
    insteadOf,
    settle: () => {
      if (threads.image.snapshot !== null || !snapshotFits(environment)) return
      // Later workers start from it.
      void keepSnapshot()
        .then(load)
        .then((image) => {
          threads.image = image
        })
        .catch(() => {}) // then they start as the first ones did
    },
  }
}

/**
 * Python would look for a folder for temporary files itself, and find /tmp, which it has in memory
 * alone where ours is another.
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
