import uPlot from 'uplot'
import type { ChartDefinition, ChartSeries } from './chart-list.ts'
import { element, setText } from './dom.ts'
import { formatTime, formatValue } from './format.ts'
import type { Slice } from './store.ts'

/** How many rows the table behind a chart has. */
const ROWS = 12

/** A chart of the history, its legend, and a table with the same values. */
export class Chart {
  readonly whole: HTMLElement
  readonly #definition: ChartDefinition
  readonly #place = element('div', { class: 'plot', 'aria-hidden': 'true' })
  readonly #values: readonly HTMLElement[]
  readonly #buttons: readonly HTMLButtonElement[]
  readonly #shown: boolean[]
  readonly #rows = element('tbody')
  readonly #table: HTMLDetailsElement
  #plot: uPlot | null = null
  #data: [readonly number[], ...(readonly (number | null)[])[]] = [[]]

  constructor(definition: ChartDefinition) {
    const { title, about, series } = definition
    this.#definition = definition
    this.#shown = series.map(() => true)
    this.#values = series.map(() => element('span', { class: 'value' }, '–'))
    this.#buttons = series.map((one, index) => this.#legendButton(one, index))
    const heads = ['Time', ...series.map(({ name }) => name)]
    this.#table = element(
      'details',
      {},
      element('summary', {}, 'Values as a table'),
      element(
        'div',
        { class: 'scroll', role: 'region', tabindex: 0, 'aria-label': `${title}, values` },
        element(
          'table',
          {},
          element('caption', { class: 'hidden' }, `${title}: ${about}`),
          element(
            'thead',
            {},
            element(
              'tr',
              {},
              ...heads.map((head, index) =>
                element('th', { scope: 'col', class: index === 0 ? '' : 'number' }, head),
              ),
            ),
          ),
          this.#rows,
        ),
      ),
    )
    this.#table.addEventListener('toggle', () => this.#fillTable())
    const legend = this.#buttons.map((button) => element('li', {}, button))
    this.whole = element(
      'figure',
      { 'data-chart': title },
      element(
        'figcaption',
        {},
        element('h3', {}, title),
        element('span', { class: 'unit' }, about),
      ),
      this.#place,
      element('ul', { class: 'legend', 'aria-label': `Lines of ${title}` }, ...legend),
      this.#table,
    )
    new ResizeObserver(() => this.#resize()).observe(this.#place)
  }

  show({ times, values }: Slice): void {
    this.#data = [
      times,
      ...this.#definition.series.map(({ columns }) => {
        const [first, ...others] = columns.map(values)
        return others.length === 0 ? first! : sums([first!, ...others])
      }),
    ]
    if (this.#plot === null) this.#make()
    else this.#plot.setData(this.#data as uPlot.AlignedData)
    this.#tell(null)
    this.#fillTable()
  }

  /** Takes over the colours of the page. */
  recolour(): void {
    for (const [index, button] of this.#buttons.entries()) {
      const { colour } = this.#definition.series[index]!
      button.querySelector('line')?.setAttribute('stroke', styleOf(colour))
    }
    if (this.#plot === null) return
    this.#plot.destroy()
    this.#plot = null
    this.#make()
  }

  #make(): void {
    const { unit, series } = this.#definition
    const { width, height } = this.#size
    if (width === 0) return
    const soft = styleOf('--soft')
    const grid = { stroke: styleOf('--grid'), width: 1 }
    const axis = { stroke: soft, grid, ticks: grid, font: '11px system-ui, sans-serif' }
    this.#plot = new uPlot(
      {
        ...{ width, height, legend: { show: false }, padding: [8, 8, 0, 0] },
        cursor: { sync: { key: 'history' }, drag: { x: false, y: false }, y: false },
        scales: { y: { range: (_plot, _least, most) => [0, highest(most, unit)] } },
        axes: [
          {
            ...axis,
            size: 28,
            space: 70,
            values: (_plot, ticks) => ticks.map((at) => clock(at, ticks)),
          },
          {
            ...axis,
            size: 62,
            space: 34,
            incrs: INCREMENTS[unit === 'bytes' || unit === 'bytes-rate' ? 'bytes' : 'numbers'],
            values: (_plot, ticks) => ticks.map((value) => formatValue(value, unit)),
          },
        ],
        series: [
          {},
          ...series.map(({ name, colour, dash }, index) => ({
            ...{ label: name, stroke: styleOf(colour), width: 1.6, show: this.#shown[index]! },
            ...{ points: { show: false }, spanGaps: false },
            ...(dash === undefined ? {} : { dash: [...dash] }),
          })),
        ],
        hooks: { setCursor: [(plot) => this.#tell(plot.cursor.idx ?? null)] },
      },
      this.#data as uPlot.AlignedData,
      this.#place,
    )
  }

  get #size(): { width: number; height: number } {
    return { width: this.#place.clientWidth, height: this.#place.clientHeight }
  }

  #resize(): void {
    if (this.#plot === null) this.#make()
    else this.#plot.setSize(this.#size)
  }

  /** Shows the values under the pointer, or else the newest ones, in the legend. */
  #tell(index: number | null): void {
    const last = this.#data[0].length - 1
    for (const [number, place] of this.#values.entries()) {
      const value = this.#data[number + 1]?.[index ?? last]
      setText(place, formatValue(value, this.#definition.unit))
    }
  }

  #legendButton({ name, colour, dash }: ChartSeries, index: number): HTMLButtonElement {
    const button = element('button', { type: 'button', 'aria-pressed': 'true' })
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'line')
    const attributes = { x1: 0, x2: 22, y1: 5, y2: 5, 'stroke-width': 3 }
    for (const [key, value] of Object.entries(attributes)) line.setAttribute(key, `${value}`)
    if (dash !== undefined) line.setAttribute('stroke-dasharray', dash.join(' '))
    line.setAttribute('stroke', styleOf(colour))
    const sample = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
    for (const [key, value] of Object.entries({ width: 22, height: 10, 'aria-hidden': true }))
      sample.setAttribute(key, `${value}`)
    sample.append(line)
    button.append(sample, element('span', {}, name), this.#values[index]!)
    button.addEventListener('click', () => {
      const shown = !this.#shown[index]
      this.#shown[index] = shown
      button.setAttribute('aria-pressed', `${shown}`)
      this.#plot?.setSeries(index + 1, { show: shown })
    })
    return button
  }

  #fillTable(): void {
    if (!this.#table.open) return
    const { unit } = this.#definition
    const [times, ...series] = this.#data
    const step = Math.max(1, Math.ceil(times.length / ROWS))
    const rows: HTMLTableRowElement[] = []
    for (let index = times.length - 1; index >= 0; index -= step) {
      const cells = series.map((values) =>
        element('td', { class: 'number' }, formatValue(values[index], unit)),
      )
      const time = element('th', { scope: 'row' }, formatTime(times[index]! * 1000))
      rows.push(element('tr', {}, time, ...cells))
    }
    this.#rows.replaceChildren(...rows)
  }
}

function sums(columns: readonly (readonly (number | null)[])[]): (number | null)[] {
  return columns[0]!.map((_, index) =>
    columns.reduce<number | null>((sum, column) => {
      const value = column[index] ?? null
      return value === null ? sum : (sum ?? 0) + value
    }, null),
  )
}

/** The value of a variable of the style sheet. */
export function styleOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** The end of the axis, so that a quiet server has a scale too. */
function highest(most: number | null, unit: ChartDefinition['unit']): number {
  const least = { seconds: 0.001, processors: 0.1, bytes: 1024, 'bytes-rate': 1024 }
  const floor = least[unit as keyof typeof least] ?? 1
  return Math.max((most ?? 0) * 1.08, floor)
}

const powers = (base: number, from: number, to: number, steps: readonly number[]) =>
  Array.from({ length: to - from }, (_, index) =>
    steps.map((step) => step * base ** (from + index)),
  ).flat()

/** What may be between two lines of the grid. */
const INCREMENTS = {
  numbers: powers(10, -7, 12, [1, 2, 5]),
  bytes: powers(2, 0, 45, [1]),
}

/** `14:03`, with seconds if the lines are closer than minutes. */
function clock(at: number, ticks: readonly number[]): string {
  const text = formatTime(at * 1000)
  return ticks.every((tick) => tick % 60 === 0) ? text.slice(0, 5) : text
}
