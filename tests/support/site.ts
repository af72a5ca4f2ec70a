import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { builtOnce, type Product } from './built-once.ts'

const SITE: Product = {
  name: 'site',
  sources: [
    ...['docs', 'examples', 'site', 'python/monoceros', 'bench/results', 'src', 'scripts/site.mjs'],
    ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'tests/README.md'],
    ...['package.json', 'package-lock.json', 'packages/pyodide/python_stdlib.zip'],
  ],
  ignored: /(^|\/)(dist|\.cache|\.temp|site-packages\.json)(\/|$)/,
  make: async (folder) => {
    const script = join(repository, 'scripts', 'site.mjs')
    const args = [script, '--build', '--to', join(folder, 'site')]
    await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 })
  },
}

let building: Promise<string> | undefined

/** Builds the site with its playground, unless a test has done so. @returns its folder */
export function builtSite(): Promise<string> {
  building ??= builtOnce(SITE).then((folder) => join(folder, 'site'))
  return building
}
