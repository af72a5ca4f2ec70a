/**
 * The program of a thread that starts an interpreter, imports what most applications import, and
 * answers with a copy of the interpreter's memory.
 */
import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { importPyodide, pyodideFolder, pythonFolder } from '../package.ts'
import { withoutSharedLog } from '../system/sqlite-log.ts'
import { shareModule } from './shared-module.ts'
import type { SnapshotAnswer, SnapshotOrder } from './snapshot-maker.ts'
import { readArchive } from './standard-library.ts'

try {
  answer({ snapshot: await makeSnapshot(workerData as SnapshotOrder) })
} catch (error) {
  answer({ failure: (error instanceof Error ? error.message : String(error)).slice(0, 2000) })
}

async function makeSnapshot(order: SnapshotOrder): Promise<SharedArrayBuffer> {
  yieldToOthers()
  shareModule(order.module, order.stdlib)
  const { loadPyodide } = await importPyodide()
  const pyodide = await loadPyodide({
    indexURL: `${pyodideFolder}/`,
    stdLibURL: order.stdlib,
    fsInit: readArchive(order.stdlib),
    _makeSnapshot: true,
    stdout: () => {},
    stderr: () => {},
  } as Parameters<typeof loadPyodide>[0])
  withoutSharedLog(pyodide)
  const { FS } = pyodide
  // `HostFiles` is not used: the snapshot contains nothing of the disk except these modules.
  FS.mkdirTree(pythonFolder)
  FS.mount(FS.filesystems.NODEFS, { root: pythonFolder }, pythonFolder)
  const locals = pyodide.toPy({ folder: pythonFolder })
  pyodide.runPython(
    [
      'import sys',
      'sys.path.append(folder)',
      'import monoceros_pyodide.preload',
      'sys.path.remove(folder)',
      'monoceros_pyodide.preload.preload(folder)',
    ].join('\n'),
    { globals: locals },
  )
  locals.destroy()
  const bytes = pyodide.makeMemorySnapshot()
  const snapshot = new SharedArrayBuffer(bytes.length)
  new Uint8Array(snapshot).set(bytes)
  return snapshot
}

/** On Linux, each thread has a priority. On other systems the server's would change too. */
function yieldToOthers(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    if (thread > 0) setPriority(thread, constants.priority.PRIORITY_LOW)
  } catch {}
}

function answer(message: SnapshotAnswer): void {
  parentPort?.postMessage(message)
}
