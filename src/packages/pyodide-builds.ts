/** Packages that Pyodide builds by itself, such as NumPy, which no index has for WebAssembly. */
import { readFileSync } from 'node:fs'
import { pyodideFile, pyodideVersion } from '../runtimes/pyodide/package.ts'
import { normalized } from './package-changes.ts'

/** The part of `pyodide-lock.json` that is used. */
interface PyodideLock {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly name: string
        readonly version: string
        readonly file_name: string
        readonly sha256: string
        readonly package_type?: string
        readonly depends?: readonly string[]
      }
    >
  >
}

/**
 * What can be done about an error of the installation: the address of Pyodide's own build, if it
 * has one of a package that has no suitable wheel. Empty otherwise.
 *
 * @param error the message, `numpy: numpy 2.5.5 has wheels for …`
 */
export function adviceOnBuilds(error: string): string {
  const lacking = /^(?:.*: )?(\S+) \S+ (?:has wheels for|is available only as source)/m.exec(error)
  if (lacking === null) return ''
  const { packages } = JSON.parse(
    readFileSync(pyodideFile('pyodide-lock.json'), 'utf8'),
  ) as PyodideLock
  const build = packages[normalized(lacking[1]!)]
  if (build === undefined || build.package_type !== 'package') return ''
  const url = `https://cdn.jsdelivr.net/pyodide/v${pyodideVersion}/full/${build.file_name}`
  return (
    `\nPyodide has a build of ${build.name} ${build.version} for this Python:\n` +
    `  npx monoceros install "${url}#sha256=${build.sha256}"`
  )
}
