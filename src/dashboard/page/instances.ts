import uPlot from 'uplot'
import type { InstanceAnswer } from '../protocol.ts'
import { styleOf } from './chart.ts'
import { byId, element, setList, setText } from './dom.ts'
import { formatNumber, formatValue } from './format.ts'

const CLASSES = ['status1xx', 'status2xx', 'status3xx', 'status4xx', 'status5xx'] as const

interface Card extends HTMLElement {
  plot?: uPlot
}

/** Servers side by side. */
export class Instances {
  readonly #place = byId('instances')

  show(instances: readonly InstanceAnswer[]): void {
    byId('instances-part').hidden = false
    setList(
      this.#place,
      instances.map((one, index) => ({ ...one, index })),
      ({ index }) => String(index),
      makeCard,
      updateCard,
    )
  }
}

function makeCard({ name, address }: InstanceAnswer): Card {
  const title = address === null ? name : element('a', { href: address, rel: 'noreferrer' }, name)
  return element(
    'article',
    { class: 'card' },
    element('h3', {}, title),
    element('p', { class: 'soft' }),
    element('div', { class: 'spark', 'aria-hidden': 'true' }),
    element('dl'),
  )
}

function updateCard(card: Card, { problem, history }: InstanceAnswer): void {
  const [, about, spark, list] = card.children as unknown as HTMLElement[]
  setText(about!, problem ?? `${history?.application}, ${history?.state}`)
  about!.className = problem === null ? 'soft' : 'error-text'
  if (history === null) return list!.replaceChildren()
  const { columns, times } = history
  const last = (name: keyof typeof columns) => columns[name].at(-1) ?? null
  const rates = times.map((_, index) =>
    CLASSES.reduce((sum, name) => sum + (columns[name][index] ?? 0), 0),
  )
  const values: [string, string][] = [
    ['Requests', formatValue(rates.at(-1), 'rate')],
    ['5xx', formatValue(last('status5xx'), 'rate')],
    ['99 % are done in', formatValue(last('totalP99'), 'seconds')],
    ['Wait for a worker', formatValue(last('queueP99'), 'seconds')],
    [
      'Busy workers',
      `${formatNumber(last('workersBusy') ?? 0)} of ${formatNumber(last('workersServing') ?? 0)}`,
    ],
  ]
  list!.replaceChildren(
    ...values.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]),
  )
  draw(card, spark!, times, rates)
}

/** A line of the throughput. */
function draw(card: Card, place: HTMLElement, times: readonly number[], rates: number[]): void {
  const data: uPlot.AlignedData = [times.map((time) => time / 1000), rates]
  const size = { width: place.clientWidth, height: place.clientHeight }
  if (card.plot === undefined) {
    card.plot = new uPlot(
      {
        ...size,
        legend: { show: false },
        cursor: { show: false },
        axes: [{ show: false }, { show: false }],
        scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most ?? 0)] } },
        series: [{}, { stroke: styleOf('--c1'), width: 1.5, points: { show: false } }],
      },
      data,
      place,
    )
  } else {
    if (card.plot.width !== size.width) card.plot.setSize(size)
    card.plot.setData(data)
  }
}
