import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * A function that collects all garbage of this process, as `node --expose-gc` has it.
 *
 * @example
 * const collectGarbage = garbageCollector()
 * const weak = new WeakRef(make())
 * await new Promise((resolve) => setImmediate(resolve)) // until then a WeakRef keeps its target
 * collectGarbage()
 * expect(weak.deref()).toBeUndefined()
 */
export function garbageCollector(): () => void {
  // The flag has an effect on the contexts that are made after it.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  return collect
}
