/**
 * Writes the pages that are generated from the sources. Run it after a build:
 *
 *     npm run build && node scripts/generate-docs.mjs
 */
import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

if (!existsSync(join(root, 'dist', 'settings', 'reference.js'))) {
  console.error('There is no build in dist; run npm run build first.')
  process.exit(1)
}
const { renderReference } = await import('../dist/settings/reference.js')
writeFileSync(join(root, 'docs', 'reference', 'settings.md'), renderReference())
