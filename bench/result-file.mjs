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

/**
 * A result as JSON, each sample on a line of its own, figures to five digits. What is not a number
 * (no answer came) becomes null.
 *
 * @param {{cases: {samples: object[]}[]}} result
 */
export function toJson({ cases, ...rest }) {
  const short = (_key, value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
  const text = JSON.stringify(rest, short, 1).slice(0, -2)
  const lines = cases.map(({ samples, ...one }) => {
    const head = JSON.stringify(one, short).slice(0, -1)
    const rows = samples.map((sample) => JSON.stringify(sample, short))
    return `${head},"samples":[\n${rows.join(',\n')}]}`
  })
  return `${text},\n"cases":[\n${lines.join(',\n')}\n]}\n`
}

/**
 * Reads it again: what is null in a sample is NaN, as it was.
 *
 * @param {string} text
 */
export function fromJson(text) {
  const result = JSON.parse(text)
  for (const { samples } of result.cases) {
    for (const sample of samples) {
      for (const [key, value] of Object.entries(sample))
        if (value === null) sample[key] = Number.NaN
    }
  }
  return result
}
