/**
 * `npm run release:check -- v1.2.3`: checks that a tag belongs to the version in package.json, and
 * that the changelog has its section. The workflow of a release begins with it.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readManifest } from './archives.mjs'
import { sectionOf } from './changelog.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const [tag] = process.argv.slice(2)
const { version } = readManifest(root)

const problem =
  tag !== `v${version}`
    ? `The tag ${tag} does not belong to version ${version} in package.json.`
    : sectionOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version) === ''
      ? `CHANGELOG.md has no section for ${version}.`
      : null
if (problem !== null) {
  console.error(problem)
  process.exit(1)
}
