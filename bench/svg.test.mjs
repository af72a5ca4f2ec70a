// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barChart, lineChart } from './svg.mjs'

const bars = (values) =>
  barChart({
    title: 'Requests < per second',
    note: 'R&D',
    panels: [
      {
        title: 'Hello',
        bars: Object.entries(values).map(([label, value]) => ({
          ...{ label, value },
          ours: label === 'monoceros',
        })),
      },
    ],
  })
const widths = (svg) =>
  [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="14"/g)].map(([, width]) =>
    Number(width),
  )

test('a bar is as long as its figure is large', () => {
  const [ours, other] = widths(bars({ monoceros: 200, granian: 100 }))
  assert.ok(Math.abs(ours / other - 2) < 0.01, `${ours} and ${other}`)
})

test('a server without a figure has a name, a dash and no bar', () => {
  const svg = bars({ monoceros: 200, waitress: Number.NaN })
  assert.equal(widths(svg)[1], 0)
  assert.match(svg, />waitress</)
  assert.match(svg, />–</)
})

test('a chart is well-formed, and follows the scheme of the reader', () => {
  const svg = bars({ monoceros: 1 })
  assert.match(svg, /Requests &lt; per second/)
  assert.match(svg, /R&amp;D/)
  assert.match(svg, /@media \(prefers-color-scheme:dark\)/)
  assert.match(svg, /class="back"/)
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
})

const lines = (series) =>
  lineChart({
    ...{ title: 'Latency', note: 'ms', across: 'part' },
    ticks: [
      [0.3, '30 %'],
      [0.6, '60 %'],
      [0.9, '90 %'],
    ],
    panels: [{ title: 'Flask', series }],
  })
const at = (...ys) => ys.map((y, n) => ({ x: 0.3 * (n + 1), y }))

test('a line rises with its figures, and leaves out what is not known', () => {
  const svg = lines([{ label: 'granian', points: at(1, Number.NaN, 100) }])
  const [, points] = /<polyline points="([^"]+)"/.exec(svg)
  const heights = points.split(' ').map((point) => Number(point.split(',')[1]))
  assert.equal(heights.length, 2)
  assert.ok(heights[1] < heights[0], 'up is less in SVG')
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
})

test('a chart of nothing is a chart', () => {
  const svg = lines([{ label: 'bjoern', points: at(Number.NaN, Number.NaN, Number.NaN) }])
  assert.doesNotMatch(svg, /NaN|undefined|Infinity|<polyline/)
})
