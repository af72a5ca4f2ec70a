import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

const WASM_PAGE = 64 * 1024

type Source = Uint8Array

/** What Pyodide gets for the files that it would read for nothing. */
const unread = new Uint8Array(8)

/**
 * Makes Pyodide use a module that is compiled already; it would read 10 MB and compile them anew.
 * Nor does it read the standard library's archive: it gets a few zeros for it, and `readArchive`
 * puts the real one there. For the thread it is called in, before `loadPyodide()`.
 *
 * @param archive the path that `loadPyodide()` is given as `stdLibURL`
 * @param leastMemory bytes that the instance's memory has at least: a snapshot is copied into it as
 * it is, and Pyodide does not make room for one that is larger than a fresh memory
 * (https://github.com/pyodide/pyodide/issues/6254)
 * @returns ends that; to be called when `loadPyodide()` is through
 */
export function shareModule(
  module: WebAssembly.Module,
  archive: string,
  leastMemory = 0,
): () => void {
  const { instantiate } = WebAssembly
  const { readFile } = promises
  const replaced = async (source: Source | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    if ((source as Partial<Source>).buffer !== unread.buffer)
      return await instantiate(source as Source, imports)
    const instance = await instantiate(module, imports)
    const { memory } = instance.exports
    if (memory instanceof WebAssembly.Memory) {
      const missing = leastMemory - memory.buffer.byteLength
      if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE))
    }
    return { module, instance }
  }
  const skipped = async (...args: Parameters<typeof readFile>) => {
    const [path] = args
    const isNeedless =
      typeof path === 'string' && (path === archive || basename(path) === 'pyodide.asm.wasm')
    return isNeedless ? unread : await readFile(...args)
  }
  WebAssembly.instantiate = replaced as typeof WebAssembly.instantiate
  promises.readFile = skipped as typeof readFile
  // Pyodide imports it as a module does.
  syncBuiltinESMExports()
  return () => {
    promises.readFile = readFile
    syncBuiltinESMExports()
  }
}
