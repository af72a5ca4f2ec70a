/**
 * Writes what is generated: the reference of the settings from the sources, and examples/tutorial
 * from the tutorial's page. Run it after a build:
 *
 *     npm run build && node scripts/generate-docs.mjs
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createJiti } from 'jiti'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

if (!existsSync(join(root, 'dist', 'settings', 'reference.js'))) {
  console.error('There is no build in dist; run npm run build first.')
  process.exit(1)
}
const { renderReference } = await import('../dist/settings/reference.js')
writeFileSync(join(root, 'docs', 'reference', 'settings.md'), renderReference())

const { filesOf, parsePage } = await createJiti(import.meta.url).import(
  '../tests/support/tutorial-page.ts',
)
const files = filesOf(parsePage(readFileSync(join(root, 'docs', 'guides', 'tutorial.md'), 'utf8')))
const tutorial = join(root, 'examples', 'tutorial')
mkdirSync(tutorial, { recursive: true })
for (const name of readdirSync(tutorial)) {
  if (/\.(py|ts)$/.test(name) && !files.has(name)) rmSync(join(tutorial, name))
}
for (const [name, text] of files) writeFileSync(join(tutorial, name), text)
