import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the npm package pyodide, which contains CPython as WebAssembly. */
export const pyodideFolder = dirname(fileURLToPath(import.meta.resolve('pyodide/package.json')))

/** A file of that package, such as `pyodide.asm.wasm`. */
export function pyodideFile(name: string): string {
  return join(pyodideFolder, name)
}

/** `314.0.7` */
export const pyodideVersion = (
  JSON.parse(readFileSync(pyodideFile('package.json'), 'utf8')) as { version: string }
).version

/** Monoceros' Python packages: the worker, and the one for the embedded interpreter only. */
export const pythonFolder = fileURLToPath(new URL('../../../python', import.meta.url))
