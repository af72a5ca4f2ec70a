import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** When the start is over, in milliseconds after the process began to serve. */
const SETTLED_MS = 2000

/**
 * Collects the garbage of a process's start, once, soon after it serves. For a process that has
 * little to do from then on: V8 collects only when something is allocated, so the garbage would
 * stay for hours: of an arbiter's own memory it is an eighth, 2 MB.
 */
export function collectStartGarbageLater(): void {
  setTimeout(collect, SETTLED_MS).unref()
}

function collect(): void {
  try {
    // The flag has an effect on the contexts that are made after it.
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    setFlagsFromString('--no-expose-gc')
    gc()
  } catch {
    // Another engine, or V8 without that flag: then the garbage stays.
  }
}
