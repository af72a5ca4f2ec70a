/**
 * `npm run api:changes` prints what has changed of what is public since the last release. It ends
 * with status 1 if something breaks and the changelog does not name it.
 */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sectionOf } from '../release/changelog.mjs'
import { changesSinceRelease, unnamedIn } from './since-release.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const changes = changesSinceRelease(root)
if (changes === null) console.log('There is no release yet.')
else if (changes.length === 0) console.log('Nothing has changed since the last release.')
for (const { breaking, report, text } of changes ?? [])
  console.log(`${breaking ? 'breaks' : 'adds  '}  ${report}: ${text}`)

const section = sectionOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), 'Unreleased')
const unnamed = unnamedIn(section, changes ?? [])
if (unnamed.length > 0) {
  const names = [...new Set(unnamed.map(({ name }) => name))].join(', ')
  console.error(`The section Unreleased of CHANGELOG.md does not name what breaks: ${names}`)
  process.exit(1)
}
