/**
 * Charts as SVG, readable on a light and on a dark page: they bring their own background, and their
 * colours follow the reader's scheme. The same figures give the same bytes.
 */
import { figure } from './table.mjs'

/** Ours, and colours for the others that the colour-blind can tell apart: by day, and by night. */
const COLOURS = {
  monoceros: ['#0072b2', '#56b4e9'],
  'monoceros-static': ['#0072b2', '#56b4e9'],
  granian: ['#009e73', '#2fd0a3'],
  'gunicorn-gthread': ['#d55e00', '#ff8a3d'],
  'gunicorn-gevent': ['#b8860b', '#e8c04a'],
  uwsgi: ['#6b6b6b', '#a8a8a8'],
  bjoern: ['#b5478a', '#e08fc0'],
  fastpysgi: ['#6a4fb5', '#b3a0f5'],
}
const DASHES = ['', '', '6 3', '2 3', '8 3 2 3', '4 2', '1 2', '10 4']
const WIDTH = 920
const MARGIN = 20
const GAP = 24
/** How many panels are beside each other. */
const COLUMNS = 3
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
const HEAD = 54
/** About the width of a letter. */
const LETTER = 6.6

/**
 * @typedef {object} Bar
 * @property {string} label
 * @property {number} value
 * @property {boolean} ours Drawn in our colour.
 *
 * @typedef {{title: string, bars: Bar[]}} BarPanel
 */

/**
 * Panels of horizontal bars, three beside each other, each with a scale of its own.
 *
 * @param {{title: string, note: string, panels: BarPanel[]}} chart
 */
export function barChart({ title, note, panels }) {
  const row = 19
  const heightOf = ({ bars }) => 26 + bars.length * row
  const parts = []
  let top = HEAD + 12
  for (let first = 0; first < panels.length; first += COLUMNS) {
    const line = panels.slice(first, first + COLUMNS)
    line.forEach((panel, column) => {
      parts.push(barPanel(panel, leftOf(column), top, row))
    })
    top += Math.max(...line.map(heightOf)) + 18
  }
  return document(title, note, top + 2, parts)
}

function barPanel({ title, bars }, left, top, row) {
  const labels = 118
  const values = 52
  const most = Math.max(...bars.map(({ value }) => (Number.isFinite(value) ? value : 0)), 0)
  const lines = bars.map(({ label, value, ours }, n) => {
    const y = top + 18 + n * row
    const known = Number.isFinite(value) && most > 0
    const length = known ? Math.max(1, ((PANEL_WIDTH - labels - values) * value) / most) : 0
    const at = left + labels
    return [
      text(at - 8, y + 11, label, ours ? 'label end strong' : 'label end'),
      `<rect x="${n1(at)}" y="${n1(y)}" width="${n1(length)}" height="14" rx="2" ` +
        `class="${ours ? 'ours' : 'other'}"/>`,
      text(at + length + 5, y + 11, figure(value), ours ? 'value strong' : 'value'),
    ].join('\n')
  })
  return [text(left, top + 6, title, 'panel'), ...lines].join('\n')
}

/**
 * @typedef {object} Series
 * @property {string} label The name of a server.
 * @property {{x: number, y: number}[]} points From left to right; those without a figure are left
 * out.
 *
 * @typedef {{title: string, series: Series[]}} LinePanel
 */

/**
 * Panels of lines over a logarithmic axis, three beside each other, and one legend for all.
 *
 * @param {{title: string, note: string, across: string, ticks: [number, string][],
 * panels: LinePanel[]}} chart `ticks` are values of the horizontal axis with what they are called.
 */
export function lineChart({ title, note, across, ticks, panels }) {
  const height = 230
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ label }) => label)))]
  const parts = panels.map((panel, n) =>
    linePanel(panel, { left: leftOf(n), top: HEAD + 12, height }, { across, ticks, names }),
  )
  const legendTop = HEAD + 12 + height + 30
  parts.push(legend(names, legendTop))
  return document(title, note, legendTop + 28, parts)
}

function linePanel({ title, series }, box, { across, ticks, names }) {
  const left = box.left + 40
  const right = box.left + PANEL_WIDTH - 8
  const top = box.top + 18
  const bottom = box.top + box.height - 32
  const values = series.flatMap(({ points }) => points.map(({ y }) => y)).filter((y) => y > 0)
  const parts = [text(box.left, box.top + 6, title, 'panel')]
  const low = values.length === 0 ? 0 : Math.floor(Math.log10(Math.min(...values)))
  const high =
    values.length === 0 ? 1 : Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))
  const xs = ticks.map(([x]) => x)
  const span = Math.max(...xs) - Math.min(...xs) || 1
  const xOf = (x) => left + 10 + ((x - Math.min(...xs)) / span) * (right - left - 20)
  const yOf = (y) => bottom - ((Math.log10(y) - low) / (high - low)) * (bottom - top)
  for (let power = low; power <= high; power++) {
    const y = yOf(10 ** power)
    parts.push(
      `<line x1="${n1(left)}" x2="${n1(right)}" y1="${n1(y)}" y2="${n1(y)}" class="grid"/>`,
    )
    parts.push(text(left - 6, y + 4, `${Number((10 ** power).toPrecision(1))}`, 'value end'))
  }
  for (const [x, name] of ticks) parts.push(text(xOf(x), bottom + 16, name, 'value middle'))
  parts.push(text((left + right) / 2, bottom + 31, across, 'value middle'))
  for (const { label, points } of series) {
    const known = points.filter(({ y }) => y > 0)
    if (known.length === 0) continue
    const places = known.map(({ x, y }) => `${n1(xOf(x))},${n1(yOf(y))}`)
    parts.push(
      `<polyline points="${places.join(' ')}" ${styleOf(label, names)}/>`,
      ...places.map((place) => {
        const [x, y] = place.split(',')
        return `<circle cx="${x}" cy="${y}" r="${isOurs(label) ? 3.6 : 2.6}" class="dot-${label}"/>`
      }),
    )
  }
  return parts.join('\n')
}

function legend(names, top) {
  let x = MARGIN
  const parts = []
  for (const name of names) {
    const ends = `x1="${n1(x)}" x2="${n1(x + 22)}" y1="${top}" y2="${top}"`
    parts.push(`<line ${ends} ${styleOf(name, names)}/>`)
    parts.push(text(x + 27, top + 4, name, isOurs(name) ? 'label strong' : 'label'))
    x += 27 + name.length * LETTER + 20
  }
  return parts.join('\n')
}

function styleOf(label, names) {
  const dashes = DASHES[names.indexOf(label) % DASHES.length]
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`
  return `class="line line-${label}"${dashed} stroke-width="${isOurs(label) ? 2.6 : 1.6}"`
}

function isOurs(label) {
  return label.startsWith('monoceros')
}

/** The whole file. */
function document(title, note, height, parts) {
  const style = (scheme) =>
    Object.entries(COLOURS)
      .map(
        ([name, colours]) =>
          `.line-${name}{stroke:${colours[scheme]}} .dot-${name}{fill:${colours[scheme]}}`,
      )
      .join('\n')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${Math.ceil(height)}" role="img"
 width="${WIDTH}" height="${Math.ceil(height)}">
<title>${escaped(title)}</title>
<desc>${escaped(note)}</desc>
<style>
text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#24292f}
.title{font-size:16px;font-weight:600} .note{fill:#57606a} .panel{font-weight:600}
.value{font-size:11px;fill:#57606a} .strong{font-weight:600;fill:#0072b2}
.end{text-anchor:end} .middle{text-anchor:middle}
.back{fill:#ffffff;stroke:#d0d7de} .grid{stroke:#d8dee4} .line{fill:none}
.ours{fill:#0072b2} .other{fill:#afb8c1}
${style(0)}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3} .note,.value{fill:#9da7b3} .strong{fill:#56b4e9}
.back{fill:#0d1117;stroke:#30363d} .grid{stroke:#30363d}
.ours{fill:#56b4e9} .other{fill:#57606a}
${style(1)}
}
</style>
<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${Math.ceil(height) - 1}" rx="8" class="back"/>
${text(MARGIN, 28, title, 'title')}
${text(MARGIN, 47, note, 'note')}
${parts.join('\n')}
</svg>
`
}

function text(x, y, content, classes) {
  return `<text x="${n1(x)}" y="${n1(y)}" class="${classes}">${escaped(content)}</text>`
}

/** Where a panel begins. @param {number} column From 0. */
function leftOf(column) {
  return MARGIN + column * (PANEL_WIDTH + GAP)
}

/** One decimal is a tenth of a pixel. */
function n1(value) {
  return Number(value.toFixed(1))
}

function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
