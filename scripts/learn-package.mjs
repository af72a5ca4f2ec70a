import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PACKAGES } from '../site/build/packages.mjs'
import { licencesOf } from './bundle.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'packages', 'learn')

/**
 * Puts together what both packages of `monoceros learn` have, that for npm and that for pip: the
 * command's side in JavaScript, the site, and the licences of what is in it.
 *
 * @param {string} folder of the package
 * @param {string} site where it was built
 * @returns {string[]} the licences, as SPDX expressions
 */
export function stageLearn(folder, site) {
  const packages = join(site, '..', PACKAGES)
  if (!existsSync(join(site, 'playground')))
    throw new Error(`${site} has no playground: npm run site -- --build`)
  for (const name of readdirSync(source))
    if (name.endsWith('.js')) cpSync(join(source, name), join(folder, name))
  cpSync(site, join(folder, 'site'), { recursive: true })
  const bundled = JSON.parse(readFileSync(packages, 'utf8'))
  const { text, licences } = licencesOf(bundled.map((name) => join(root, 'node_modules', name)))
  const python = readFileSync(join(root, 'packages', 'pyodide', 'LICENSE-PYTHON.txt'), 'utf8')
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), text)
  writeFileSync(join(folder, 'LICENSE-PYTHON.txt'), python)
  return licences
}
