/**
 * Lets the thread sleep while Python does. Without threads of its own Emscripten's `nanosleep` asks
 * for the time, again and again, until it has passed: `time.sleep`, and SQLite when it waits for a
 * lock, keep a processor busy that whoever holds the lock may need.
 *
 * Nothing but that loop asks so often in so short a time: `time.time()` and the like go another
 * way.
 *
 * @param imports of Pyodide's module, before it is instantiated
 */
export function sleepInsteadOfSpinning(imports: WebAssembly.Imports): void {
  const calls = imports.env as Record<string, () => number>
  const now = calls.emscripten_get_now
  if (now === undefined) throw new Error('This version of Pyodide has no emscripten_get_now')
  const never = new Int32Array(new SharedArrayBuffer(4))
  let last = 0
  let asked = 0
  const asking = () => {
    const time = now()
    asked = time - last < SPINNING ? asked + 1 : 0
    last = time
    if (asked < ASKED) return time
    Atomics.wait(never, 0, 0, NAP)
    last = now()
    return last
  }
  calls.emscripten_get_now = Object.assign(asking, now)
}

/** Two questions within this time, ms, belong together. */
const SPINNING = 0.05
/** So many in a row are somebody who waits. */
const ASKED = 20
/** How long to sleep at a time, ms. The loop goes on asking after it. */
const NAP = 0.5
