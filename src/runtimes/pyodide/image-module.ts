/** CPython itself is 9.6 MB; the libraries beside it that Pyodide makes instances of are small. */
const LEAST_MAIN_MODULE = 4 * 1024 * 1024
const WASM_PAGE = 64 * 1024

type Source = Uint8Array

/**
 * Makes Pyodide use a module that is compiled already; it would compile one anew. For the thread it is called in, before
 * `loadPyodide()`.
 *
 * @param leastMemory bytes that the instance's memory has at least: a snapshot is copied into it as it is, and Pyodide
 *   does not make room for one that is larger than a fresh memory (https://github.com/pyodide/pyodide/issues/6254)
 */
export function shareModule(module: WebAssembly.Module, leastMemory = 0): void {
  const instantiate = WebAssembly.instantiate
  const replaced = async (source: Source | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    const size = (source as Partial<Source>).byteLength
    if (size === undefined || size < LEAST_MAIN_MODULE) return await instantiate(source as Source, imports)
    const instance = await instantiate(module, imports)
    const { memory } = instance.exports
    if (memory instanceof WebAssembly.Memory) {
      const missing = leastMemory - memory.buffer.byteLength
      if (missing > 0) memory.grow(Math.ceil(missing / WASM_PAGE))
    }
    return { module, instance }
  }
  WebAssembly.instantiate = replaced as typeof WebAssembly.instantiate
}
