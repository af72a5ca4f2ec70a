import { Worker } from 'node:worker_threads'
import type { StackThreadData } from './stack-answer.ts'

/**
 * For objects of a session that debugs the main thread, in MiB: it is told of every module, with
 * its source map.
 */
const OLD_GENERATION_MB = 128

/** The thread that tells the arbiter where this process stands; see `stack-thread.ts`. */
export interface StackTeller {
  /** There will be nothing more to ask. */
  end(): void
}

/**
 * Starts it.
 *
 * @param fd the descriptor on which the arbiter asks
 * @param doing what the application waits for while its event loop runs
 * @returns null where there can be no such thread; then the arbiter is told nothing
 */
export function tellStacks(fd: number, doing: () => string): StackTeller | null {
  const workerData: StackThreadData = { fd, own: new URL('../', import.meta.url).href }
  let thread: Worker
  try {
    thread = new Worker(new URL('./stack-thread.js', import.meta.url), {
      workerData,
      name: 'monoceros stacks',
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: OLD_GENERATION_MB },
    })
  } catch {
    return null // no memory, or Node's permission model
  }
  thread.on('message', () => thread.postMessage(doing()))
  // It only looks: the application goes on without it.
  thread.on('error', () => {})
  thread.unref()
  return { end: () => void thread.terminate() }
}
