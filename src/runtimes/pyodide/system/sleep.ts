/**
 * Makes the thread sleep while Python sleeps. In a build without threads, Emscripten's `nanosleep`
 * reads the clock in a loop until the time has passed. So `time.sleep`, and SQLite when it waits
 * for a lock, keep a processor busy that the holder of the lock may need.
 *
 * That loop is recognised by how often it reads the clock. Nothing else reads it so often:
 * `time.time()` and the like use another function.
 *
 * @param imports of Pyodide's module, before it is instantiated
 */
export function sleepInsteadOfSpinning(imports: WebAssembly.Imports): void {
  const calls = imports.env as Record<string, () => number>
  const now = calls.emscripten_get_now
  if (now === undefined) throw new Error('This version of Pyodide has no emscripten_get_now')
  const neverNotified = new Int32Array(new SharedArrayBuffer(4))
  let last = 0
  let readings = 0
  const slowed = () => {
    const time = now()
    readings = time - last < SPINNING ? readings + 1 : 0
    last = time
    if (readings < MOST_READINGS) return time
    Atomics.wait(neverNotified, 0, 0, NAP)
    last = now()
    return last
  }
  calls.emscripten_get_now = Object.assign(slowed, now)
}

/** The longest time between two readings of the loop, ms. */
const SPINNING = 0.05
/** After this many readings in a row, Python is sleeping. */
const MOST_READINGS = 20
/** How long to sleep at a time, ms. The loop continues after it. */
const NAP = 0.5
