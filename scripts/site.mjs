/**
 * `npm run site`: builds the site into site/dist, and serves it with the server that was built.
 *
 *     npm run site                              at http://127.0.0.1:8642
 *     npm run site -- --bind 127.0.0.1:9000     with an option of `monoceros learn`
 *     npm run site -- --build [--to DIR]        builds only
 *     npm run site -- --dev                     shows each change of a page at once
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PACKAGES, packagesOf } from '../site/build/packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const site = join(root, 'site')
const vitepress = join(root, 'node_modules', 'vitepress', 'bin', 'vitepress.js')
/** Packages whose files the playground has as they are. */
const IN_PLAYGROUND = ['pyodide', '@swc/wasm-typescript-esm']

const { values } = parseArgs({
  strict: false,
  options: {
    to: { type: 'string', default: join(site, 'dist') },
    build: { type: 'boolean', default: false },
    dev: { type: 'boolean', default: false },
  },
})
/** What is for `monoceros learn`. */
const serve = process.argv.slice(2)

if (values.dev) await run(vitepress, 'dev', site)
else {
  await buildSite()
  if (!values.build) await run(join(root, 'dist', 'cli', 'main.js'), 'learn', ...serve)
}

/** Builds the site with its playground, and notes which npm packages are in it. */
async function buildSite() {
  const folder = resolve(values.to)
  await run(vitepress, 'build', site, '--outDir', folder)
  const { buildPlayground } = await import('../site/playground/build.mjs')
  const modules = await buildPlayground(join(folder, 'playground'))
  const ofPages = JSON.parse(readFileSync(join(folder, '..', PACKAGES), 'utf8'))
  const packages = new Set([...ofPages, ...packagesOf(modules), ...IN_PLAYGROUND])
  writeFileSync(join(folder, '..', PACKAGES), `${JSON.stringify([...packages].sort(), null, 2)}\n`)
}

/** Runs a program of Node.js to its end, and ends with its status if it fails. */
async function run(...command) {
  const child = spawn(process.execPath, command, { stdio: 'inherit', cwd: root })
  const stop = (signal) => child.kill(signal)
  process.on('SIGINT', stop).on('SIGTERM', stop)
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 0 : 1)))
  })
  process.off('SIGINT', stop).off('SIGTERM', stop)
  if (status !== 0) process.exit(status)
}
