// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { charts, page, withComparison } from './pages.mjs'
import { fromJson } from './result-file.mjs'

const MIB = 2 ** 20
const sample = (server, round, requestsPerSecond, more = {}) => ({
  ...{ server, round, requestsPerSecond, cpu: 1e5 / requestsPerSecond, p50: 1, p99: 2 },
  ...{ memory: 125 * MIB, generations: [30 * MIB, 55 * MIB, 40 * MIB] },
  ...{ errors: 0, unanswered: 0, others: 0 },
  ...more,
})
const RESULT = {
  ...{ kind: 'full', started: '2026-11-29T12:00:00.000Z', seconds: 590 },
  facts: ['today', '2 × CPU'],
  absences: ['bjoern. It does not build.'],
  cases: [
    {
      ...{ workload: 'hello', title: 'Hello world', over: 'http', connections: 64, load: null },
      rounds: 2,
      samples: [
        sample('monoceros', 1, 1000),
        sample('granian', 1, 500),
        sample('monoceros', 2, 1000),
        sample('granian', 2, 500),
      ],
    },
    {
      ...{ workload: 'hello', title: 'Hello world', over: 'http', connections: 64, rounds: 1 },
      load: { part: 0.6 },
      samples: [
        sample('monoceros', 1, 600, { rate: 600, p999: 3 }),
        sample('granian', 1, 300, { rate: 300, p999: Number.NaN }),
      ],
    },
  ],
}

test('the page says what is missing, the marks, ratios and percentiles', () => {
  const text = page(RESULT, '2026-11-29-full')
  assert.match(text, /^- Not here: bjoern\. It does not build\.$/m)
  assert.match(
    text,
    /^\| granian: hello, 64: requests\/s through granian's +\| +≥ 1\.00 \| +2\.00 \| +ok \|$/m,
  )
  assert.match(
    text,
    /^\| Hello world, at 60 % of capacity \| 1\.00 · 2\.00 · 3\.00 \| 1\.00 · 2\.00 · – \|$/m,
  )
  assert.match(text, /^\| of it arbiter and acceptor \| +89 \|$/m)
})

test('each chart that the page shows is made', () => {
  const made = charts(RESULT)
  const shown = [...page(RESULT, 'x').matchAll(/\(plots\/([^)]+)\)/g)].map(([, name]) => name)
  assert.deepEqual(shown.sort(), Object.keys(made).sort())
})

test('the README has the table between its two marks, and nothing else changes', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const once = withComparison(readme, RESULT)
  assert.match(once, /^\| granian +\| 500 · 200 · \*\*2\.00×\*\* \|$/m)
  assert.equal(withComparison(once, RESULT), once)
  const outside = (text) => text.replace(/<!-- benchmark:[\s\S]*?<!-- end of the benchmark -->/, '')
  assert.equal(outside(once), outside(readme))
})

test('a README without these marks is not written', () => {
  assert.throws(() => withComparison('# Readme\n', RESULT), /README\.md has no part between/)
})

const PAGE = new URL('../docs/benchmark.md', import.meta.url)
const unpublished = existsSync(PAGE) ? false : 'no full run has been published'
test('the pages are those of the result that they name', { skip: unpublished }, () => {
  const text = readFileSync(PAGE, 'utf8')
  const name = /Generated from bench\/results\/(\S+)\.json/.exec(text)?.[1]
  const file = new URL(`results/${name}.json`, import.meta.url)
  assert.ok(existsSync(file), `${file} is missing`)
  const result = fromJson(readFileSync(file, 'utf8'))
  const again = 'run npm run bench:report for it again'
  assert.equal(page(result, name), text, again)
  for (const [chart, svg] of Object.entries(charts(result))) {
    const there = readFileSync(new URL(`../docs/plots/${chart}`, import.meta.url), 'utf8')
    assert.equal(svg, there, `${chart}: ${again}`)
  }
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  assert.equal(withComparison(readme, result), readme, again)
})
