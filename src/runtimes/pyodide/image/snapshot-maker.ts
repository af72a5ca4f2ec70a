import { Worker } from 'node:worker_threads'
import { ownEntry } from '../../../own-files/own-files.ts'

/** What a snapshot thread is started with. */
export interface SnapshotOrder {
  readonly module: WebAssembly.Module
  readonly stdlib: string
}

/** What a snapshot thread answers. */
export type SnapshotAnswer = { readonly snapshot: SharedArrayBuffer } | { readonly failure: string }

/**
 * Starts an interpreter only to copy its memory. Its environment is empty, so that no secret of
 * this process gets into the file.
 */
export async function makeSnapshot(order: SnapshotOrder): Promise<SharedArrayBuffer> {
  const thread = new Worker(ownEntry('runtimes/pyodide/image/snapshot-entry'), {
    workerData: order,
    name: 'monoceros snapshot',
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
  })
  try {
    const answer = await new Promise<SnapshotAnswer>((resolve) => {
      thread.on('message', resolve)
      thread.on('error', (error) => resolve({ failure: error.message.slice(0, 500) }))
      thread.on('exit', (code) => resolve({ failure: `the thread ended with status ${code}` }))
      // The thread must not keep the process alive. Last, because `on('message')` refs it again.
      thread.unref()
    })
    if ('failure' in answer) throw new Error(answer.failure)
    return answer.snapshot
  } finally {
    await thread.terminate()
  }
}
