import { tmpdir } from 'node:os'
import { ifMountable, parseMount, planMounts } from './pyodide/files/mounts.ts'
import {
  type InterpreterImage,
  keepSnapshot,
  loadImage,
  snapshotFits,
} from './pyodide/image/image.ts'
import { pythonFolder } from './pyodide/package.ts'
import { workerThreads } from './pyodide/worker/worker-thread.ts'
import type { Python, PythonRequest } from './python.ts'

/**
 * The embedded Python.
 *
 * @param insteadOf why the system's Python cannot be used; null if it was not asked for
 * @throws MountError; Error if the interpreter's files are unreadable
 */
export async function embeddedPython(
  request: PythonRequest,
  insteadOf: string | null,
): Promise<Python> {
  const { chdir, pythonpath, rawEnv, inheritEnv, workerMemory } = request
  const mounts = planMounts({
    chdir,
    pythonPath: pythonpath,
    temporary: tmpdir(),
    asked: [
      ...ifMountable(request.needed ?? [], chdir),
      ...request.mounts.map((mount) => parseMount(mount, chdir)),
    ],
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
