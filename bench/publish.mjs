/**
 * Makes the pages that readers see from the result of a full run.
 *
 *     npm run bench:report -- bench/results/2026-11-29-full.json
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { runCommand, say, UsageError } from './command.mjs'
import { charts, page, withComparison } from './pages.mjs'
import { fromJson } from './result-file.mjs'

const ROOT = new URL('../', import.meta.url)

async function main() {
  const [path, ...more] = process.argv.slice(2)
  if (path === undefined || more.length > 0 || path.startsWith('-'))
    throw new UsageError('npm run bench:report -- FILE: name the JSON file of one full run')
  if (!existsSync(path)) throw new UsageError(`${path}: there is no such file`)
  const result = resultIn(path)
  const written = {
    'docs/benchmark.md': page(result, basename(path, '.json')),
    'README.md': withComparison(readFileSync(new URL('README.md', ROOT), 'utf8'), result),
  }
  for (const [name, svg] of Object.entries(charts(result))) written[`docs/plots/${name}`] = svg
  for (const [name, content] of Object.entries(written)) {
    writeFileSync(new URL(name, ROOT), content)
    say(`Wrote ${name}`)
  }
}

function resultIn(path) {
  let result
  try {
    result = fromJson(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path} is no result of npm run bench: ${error.message}`)
  }
  if (result.kind !== 'full') {
    throw new UsageError(
      `${path} is of a ${result.kind} run; the pages are made from a full one (npm run bench)`,
    )
  }
  return result
}

await runCommand(main, { script: 'bench', what: 'Making the pages' })
