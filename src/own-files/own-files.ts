/**
 * Finds the files of this package at run time: the Python programs, and the entries of processes
 * and threads.
 *
 * Only this folder looks at `import.meta.url`. Bundlers (webpack, Turbopack, Rolldown, esbuild)
 * resolve `new URL('…', import.meta.url)` when they build, and take the file or fail. So no module
 * writes that, and paths are put together from strings. In a bundle this code is in somebody's
 * server, and the installed package is found from there.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Undefined in a bundle that is CommonJS, and the bundle's own address in others. */
const here: string | undefined = import.meta.url

/**
 * The address of the folder with this package's code (`dist/`, or `src/` in tests), with a slash at
 * its end. Null in most bundles, where it is not in files of its own.
 */
export const ownCode: string | null =
  /^(file:.*\/)own-files\/own-files\.[jt]s$/.exec(here ?? '')?.[1] ?? null

/** A file that every copy of the package has; traced copies of its modules do not. */
const WITNESS = 'python/monoceros-worker'

let found: string | undefined

/**
 * The folder of this package, absolute.
 *
 * @throws OwnFilesError if the code was bundled into a server, and no installed package is found in
 * a `node_modules` at or above the server's files or the working directory
 */
export function ownFolder(): string {
  found ??= findPackage(startingPoints())
  return found
}

/**
 * A file of this package, absolute.
 *
 * @param path in the package, such as `python/monoceros-worker`
 * @throws OwnFilesError if the package is not found
 */
export function ownFile(path: string): string {
  return join(ownFolder(), path)
}

/**
 * The compiled module of a thread or process of its own, as a URL. Node cannot run the sources, so
 * it is the compiled one even in tests.
 *
 * @param name such as `acceptor/stack-thread`
 * @throws OwnFilesError if the package is not found
 */
export function ownEntry(name: string): URL {
  return pathToFileURL(ownFile(`dist/${name}.js`))
}

/** The code runs in a bundle, and the package with its other files is not installed beside it. */
export class OwnFilesError extends Error {
  readonly code = 'own-files'
}

/** Where the package is looked for, in this order. */
export interface StartingPoints {
  /** The folder two above this module: the package itself, if the module is not bundled. */
  readonly own: string | null
  /** Folders in and above which a `node_modules` may have the package. */
  readonly folders: readonly string[]
}

function startingPoints(): StartingPoints {
  const file = here?.startsWith('file:') ? fileURLToPath(here) : null
  const program = process.argv[1]
  return {
    own: file === null ? null : dirname(dirname(dirname(file))),
    folders: [
      ...(file === null ? [] : [dirname(file)]),
      process.cwd(),
      ...(program === undefined ? [] : [dirname(program)]),
    ],
  }
}

/**
 * Finds the package.
 *
 * @throws OwnFilesError
 */
export function findPackage({ own, folders }: StartingPoints): string {
  if (own !== null && isPackage(own)) return own
  for (const start of folders) {
    for (let folder = start; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', 'monoceros')
      if (isPackage(candidate)) return candidate
      if (folder === dirname(folder)) break
    }
  }
  const places = [...new Set(folders)].join(', ')
  throw new OwnFilesError(
    'Monoceros cannot find its Python files. Its code is bundled into another program, so it ' +
      `looks for node_modules/monoceros in and above ${places}. Install monoceros there, or copy ` +
      'the whole folder node_modules/monoceros there. [MONO2042]',
  )
}

function isPackage(folder: string): boolean {
  if (!existsSync(join(folder, WITNESS))) return false
  try {
    const text = readFileSync(join(folder, 'package.json'), 'utf8')
    return (JSON.parse(text) as { name?: unknown }).name === 'monoceros'
  } catch {
    return false
  }
}
