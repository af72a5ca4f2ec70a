/**
 * Builds the page of the dashboard (src/dashboard/page) into dist/dashboard: its script with uPlot
 * as one file, and its style. All of them are compressed, as browsers get them: so they take a
 * third of the disk.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src/dashboard/page')
const target = join(root, 'dist/dashboard')

const build = await rolldown({
  input: join(source, 'main.ts'),
  platform: 'browser',
  onLog: (_level, log) => {
    throw new Error(log.message)
  },
})
const { output } = await build.generate({
  format: 'esm',
  codeSplitting: false,
  minify: true,
  comments: { legal: false },
})
await build.close()

const read = (path) => readFileSync(join(root, path), 'utf8')
mkdirSync(target, { recursive: true })
write('page.js', output[0].code)
write(
  'page.css',
  `${read('node_modules/uplot/dist/uPlot.min.css')}\n${read('src/dashboard/page/page.css')}`,
)
write('page.html', read('src/dashboard/page/page.html'))
write('icon.svg', read('src/dashboard/page/icon.svg'))

function write(name, text) {
  writeFileSync(join(target, `${name}.gz`), gzipSync(text, { level: 9 }))
}
