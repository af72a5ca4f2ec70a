import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

const WASM_PAGE = 64 * 1024

type Source = Uint8Array

/** What Pyodide gets in place of the files that it need not read. */
const UNREAD = new Uint8Array(8)

/**
 * Makes Pyodide use a module that is already compiled. Otherwise it would read 10 MB and compile
 * them again. Pyodide does not read the standard library's archive either: it gets a few zeros, and
 * `readArchive` provides the real one. This applies to the current thread; call it before
 * `loadPyodide()`.
 *
 * @param archive the path that `loadPyodide()` gets as `stdLibURL`
 * @param leastMemory the minimum size of the instance's memory, in bytes. A snapshot is copied into
 * it, and Pyodide does not enlarge a new memory for a larger snapshot
 * (https://github.com/pyodide/pyodide/issues/6254)
 * @returns a function that restores reading; call it when `loadPyodide()` has finished
 */
export function shareModule(
  module: WebAssembly.Module,
  archive: string,
  leastMemory = 0,
): () => void {
  const { instantiate } = WebAssembly
  const { readFile } = promises
  const replaced = async (source: Source | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    if ((source as Partial<Source>).buffer !== UNREAD.buffer)
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
    const isUnneeded =
      typeof path === 'string' && (path === archive || basename(path) === 'pyodide.asm.wasm')
    return isUnneeded ? UNREAD : await readFile(...args)
  }
  WebAssembly.instantiate = replaced as typeof WebAssembly.instantiate
  promises.readFile = skipped as typeof readFile
  // Pyodide has imported the function as an ES module does.
  syncBuiltinESMExports()
  return () => {
    promises.readFile = readFile
    syncBuiltinESMExports()
  }
}
