import { Worker } from 'node:worker_threads'
import { ownEntry } from '../own-files/own-files.ts'
import type { StackThreadData } from './stack-answer.ts'

/**
 * Heap for the debugging session, in MiB: it receives every module of the main thread, with its
 * source map.
 */
const OLD_GENERATION_MB = 128

/** The thread that sends stacks of this process to the arbiter; see `stack-thread.ts`. */
export interface StackTeller {
  /** Ends the thread. */
  end(): void
}

/**
 * Starts the thread.
 *
 * @param fd the descriptor of the channel to the arbiter
 * @param doing returns what the application waits for while its event loop runs
 * @returns null if the thread cannot be started; then the arbiter gets no stacks
 */
export function tellStacks(fd: number, doing: () => string): StackTeller | null {
  const entry = ownEntry('acceptor/stack-thread')
  const workerData: StackThreadData = { fd, own: new URL('../', entry).href }
  let thread: Worker
  try {
    thread = new Worker(entry, {
      workerData,
      name: 'monoceros stacks',
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: OLD_GENERATION_MB },
    })
  } catch {
    return null // out of memory, or not permitted by Node's permission model
  }
  thread.on('message', () => thread.postMessage(doing()))
  // The application does not need the thread.
  thread.on('error', () => {})
  thread.unref()
  return { end: () => void thread.terminate() }
}
