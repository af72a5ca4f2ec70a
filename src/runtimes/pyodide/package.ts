import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ownEntry, ownFile } from '../../own-files/own-files.ts'
import { version } from '../../settings/version.ts'
import { EmbeddedPackageError } from '../embedded-package-error.ts'

/*
 * The npm package monoceros-pyodide: the standard library's archive, and the package pyodide, which
 * contains CPython as WebAssembly. Importing this module throws EmbeddedPackageError if it is not
 * installed, or in another version: whoever imports it cannot work without.
 */
const WORKER = fileURLToPath(ownEntry('runtimes/pyodide/worker/worker-entry'))
if (!existsSync(WORKER)) throw EmbeddedPackageError.ofPip()

const embeddedFolder = dirname(
  // The working directory, if Monoceros itself is elsewhere, such as in the folder of npx.
  manifestOf('monoceros-pyodide', [ownFile('package.json'), join(process.cwd(), 'package.json')]),
)

const { version: embeddedVersion } = manifestIn(embeddedFolder)
if (embeddedVersion !== version) throw EmbeddedPackageError.of(version, embeddedVersion)

/** The standard library with byte code, which `scripts/build-stdlib.mjs` makes. */
export const standardLibrary = join(embeddedFolder, 'python_stdlib.zip')

/** The folder of the npm package pyodide. */
export const pyodideFolder = dirname(manifestOf('pyodide', [join(embeddedFolder, 'package.json')]))

/** A file of that package, such as `pyodide.asm.wasm`. */
export function pyodideFile(name: string): string {
  return join(pyodideFolder, name)
}

/** `314.0.7` */
export const pyodideVersion = manifestIn(pyodideFolder).version

/** The module of the package pyodide. */
export async function importPyodide(): Promise<typeof import('pyodide')> {
  // In a bundle, too, it is the installed file.
  return await import(
    /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */
    pathToFileURL(pyodideFile('pyodide.mjs')).href
  )
}

/**
 * Monoceros' Python packages: the worker, and the one for the embedded interpreter only. The npm
 * package has them both; in the repository they are where they are written.
 */
export const pythonFolder = [join(embeddedFolder, 'python'), ownFile('python')].find(existsSync)!

/**
 * The path of a package's package.json, as a module at the first of these places would import it,
 * or else at the next.
 */
function manifestOf(name: string, places: readonly string[]): string {
  for (const place of places) {
    try {
      return createRequire(place).resolve(`${name}/package.json`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw EmbeddedPackageError.of(version, null)
}

function manifestIn(folder: string): { readonly version: string } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
