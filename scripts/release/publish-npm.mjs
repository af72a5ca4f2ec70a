/**
 * `npm run release:npm -- FOLDER`: publishes the npm packages in a folder, in the workflow of a
 * release. The packages that the server names come first.
 *
 * A version that is there already is left alone, so that a workflow that failed half-way can run
 * again. With --dry-run it only says what it would run.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readFromTarball } from './archives.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false } },
})
const [folder] = positionals
const tarballs = readdirSync(folder)
  .filter((name) => name.endsWith('.tgz'))
  .sort((a, b) => Number(isPart(b)) - Number(isPart(a)))
if (tarballs.length === 0) throw new Error(`${folder} has no npm package`)

for (const name of tarballs) {
  const path = join(folder, name)
  const manifest = JSON.parse(readFromTarball(path, 'package.json'))
  // What is not final must not be what `npm install monoceros` gives.
  const tag = manifest.version.includes('-') ? 'next' : 'latest'
  const args = ['publish', `./${path}`, '--provenance', '--access', 'public', '--tag', tag]
  console.log(`npm ${args.join(' ')}`)
  if (values['dry-run']) continue
  if (isPublished(manifest)) console.log(`${manifest.name} ${manifest.version} is there already`)
  else execFileSync('npm', args, { stdio: ['ignore', 'inherit', 'inherit'] })
}

/** Of the server, which names it. */
function isPart(tarball) {
  return /^monoceros-(pyodide|learn)-/.test(tarball)
}

function isPublished({ name, version }) {
  const { status } = spawnSync('npm', ['view', `${name}@${version}`, 'version'], {
    encoding: 'utf8',
  })
  // npm prints nothing for a version that is missing, and fails for a package that is.
  return status === 0
}
