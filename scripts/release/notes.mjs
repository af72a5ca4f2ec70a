/** `node scripts/release/notes.mjs v1.2.3` prints what the changelog says of a release. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sectionOf } from './changelog.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const [tag = ''] = process.argv.slice(2)
const section = sectionOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), tag.replace(/^v/, ''))
if (section === '') {
  console.error(`CHANGELOG.md has no section for ${tag}.`)
  process.exit(1)
}
console.log(section)
