/**
 * Writes the generated documents and parts of documents. Run it as `npm run docs`, which builds
 * first.
 *
 * - docs/reference/settings.md, from the table of settings
 * - docs/reference/metrics.md, from the table of metrics
 * - docs/reference/exit-status.md, from the table of exit statuses
 * - docs/reference/errors.md and docs/errors, from the table of errors and warnings
 * - docs/reference/node-internals.md, from the table in src/transport/node-internals.ts
 * - the picture of the import rules in docs/design.md, from scripts/import-rules.mjs
 * - the tables of Gunicorn's settings in docs/guides/from-gunicorn.md, from src/settings
 * - the matrix in docs/guides/node-servers.md, from tests/support/framework-matrix.ts
 * - the list in docs/decisions/README.md, from the pages beside it
 * - examples/tutorial, from docs/guides/tutorial.md
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createJiti } from 'jiti'
import { withDecisionsListed } from './decision-index.mjs'
import { withImportsDrawn } from './import-rules.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

if (!existsSync(join(root, 'dist', 'settings', 'reference.js'))) {
  console.error('There is no build in dist; run npm run build first.')
  process.exit(1)
}
const { renderReference } = await import('../dist/settings/reference.js')
writeFileSync(join(root, 'docs', 'reference', 'settings.md'), renderReference())
const { renderMetrics } = await import('../dist/metrics/reference.js')
writeFileSync(join(root, 'docs', 'reference', 'metrics.md'), renderMetrics())
const { renderExitStatuses } = await import('../dist/process/exit-status.js')
writeFileSync(join(root, 'docs', 'reference', 'exit-status.md'), renderExitStatuses())
const { renderNodeInternals } = await import('../dist/transport/node-internals.js')
writeFileSync(join(root, 'docs', 'reference', 'node-internals.md'), renderNodeInternals())

const { TABLE } = await import('../dist/messages/table.js')
const { renderIndex, renderPage } = await import('../dist/messages/pages.js')
writeFileSync(join(root, 'docs', 'reference', 'errors.md'), renderIndex(TABLE))
const errors = join(root, 'docs', 'errors')
mkdirSync(errors, { recursive: true })
for (const name of readdirSync(errors)) rmSync(join(errors, name))
for (const [code, row] of Object.entries(TABLE))
  writeFileSync(join(errors, `${code}.md`), renderPage(code, row))

const { withGunicornSettings } = await import('../dist/settings/gunicorn-guide.js')
const guide = join(root, 'docs', 'guides', 'from-gunicorn.md')
writeFileSync(guide, withGunicornSettings(readFileSync(guide, 'utf8')))

const design = join(root, 'docs', 'design.md')
writeFileSync(design, withImportsDrawn(readFileSync(design, 'utf8')))

const decisions = join(root, 'docs', 'decisions')
const index = join(decisions, 'README.md')
writeFileSync(index, withDecisionsListed(readFileSync(index, 'utf8'), decisions))

const { withMatrixDrawn } = await createJiti(import.meta.url).import(
  '../tests/support/framework-matrix.ts',
)
const nodeServers = join(root, 'docs', 'guides', 'node-servers.md')
writeFileSync(nodeServers, withMatrixDrawn(readFileSync(nodeServers, 'utf8')))

const { blocksOf, filesOnPage } = await createJiti(import.meta.url).import(
  '../tests/support/page-blocks.ts',
)
const files = filesOnPage(blocksOf('docs/guides/tutorial.md'))
const tutorial = join(root, 'examples', 'tutorial')
mkdirSync(tutorial, { recursive: true })
for (const name of readdirSync(tutorial)) {
  if (/\.(py|ts)$/.test(name) && !files.has(name)) rmSync(join(tutorial, name))
}
for (const [name, text] of files) writeFileSync(join(tutorial, name), text)
