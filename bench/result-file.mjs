/**
 * Where results are kept: bench/results/DATE-KIND, and a number where that is taken.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const RESULTS = fileURLToPath(new URL('results', import.meta.url))

/**
 * @param {string} kind `quick`, `full`, `growth` …
 * @param {Date} started
 * @returns {{name: string, path: (extension: string) => string}} A name that no result has yet.
 */
export function resultFile(kind, started) {
  mkdirSync(RESULTS, { recursive: true })
  const first = `${started.toISOString().slice(0, 10)}-${kind}`
  let name = first
  for (let n = 2; ['md', 'json'].some((one) => existsSync(join(RESULTS, `${name}.${one}`))); n++)
    name = `${first}-${n}`
  return { name, path: (extension) => join(RESULTS, `${name}.${extension}`) }
}
