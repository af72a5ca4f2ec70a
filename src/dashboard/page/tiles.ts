import type { Column } from '../columns.ts'
import { byId, element, setText } from './dom.ts'
import { formatNumber, formatValue } from './format.ts'
import type { Store } from './store.ts'

interface TileText {
  readonly value: string
  readonly more: string
  readonly isBad?: boolean
}

type Newest = (column: Column) => number

const tiles: readonly { readonly name: string; readonly text: (newest: Newest) => TileText }[] = [
  {
    name: 'Requests',
    text: (newest) => {
      const all = sum(newest, ['status1xx', 'status2xx', 'status3xx', 'status4xx', 'status5xx'])
      return {
        value: formatValue(all, 'rate'),
        more: `${formatNumber(newest('inProgress'))} in progress`,
      }
    },
  },
  {
    name: 'Errors (5xx)',
    text: (newest) => {
      const errors = newest('status5xx')
      return {
        value: formatValue(errors, 'rate'),
        more: `4xx: ${formatValue(newest('status4xx'), 'rate')}`,
        isBad: errors > 0,
      }
    },
  },
  {
    name: '99 % are done in',
    text: (newest) => ({
      value: formatValue(newest('totalP99'), 'seconds'),
      more: `median ${formatValue(newest('totalP50'), 'seconds')}`,
    }),
  },
  {
    name: 'Wait for a worker',
    text: (newest) => ({
      value: formatValue(newest('queueP99'), 'seconds'),
      more: `99th percentile; ${formatNumber(newest('waiting'))} waiting`,
    }),
  },
  {
    name: 'Busy workers',
    text: (newest) => {
      const serving = newest('workersServing')
      const wanted = newest('workersWanted')
      return {
        value: `${formatNumber(newest('workersBusy'))} of ${formatNumber(serving)}`,
        more: serving < wanted ? `${formatNumber(wanted)} wanted` : '',
        isBad: serving < wanted,
      }
    },
  },
  {
    name: 'Connections',
    text: (newest) => ({
      value: formatNumber(newest('connectionsActive') + newest('connectionsIdle')),
      more: `${formatNumber(newest('connectionsActive'))} active`,
    }),
  },
  {
    name: 'Memory',
    text: (newest) => ({
      value: formatValue(
        sum(newest, ['memoryArbiter', 'memoryAcceptors', 'memoryWorkers']),
        'bytes',
      ),
      more: `workers ${formatValue(newest('memoryWorkers'), 'bytes')}`,
    }),
  },
  {
    name: 'Processors',
    text: (newest) => ({
      value: formatValue(sum(newest, ['cpuArbiter', 'cpuAcceptors', 'cpuWorkers']), 'processors'),
      more: `workers ${formatValue(newest('cpuWorkers'), 'processors')}`,
    }),
  },
]

/** The numbers of this moment. */
export class Tiles {
  readonly #shown = tiles.map(({ name, text }) => {
    const value = element('span', {}, '–')
    const more = element('span', { class: 'more' })
    const whole = element('div', {}, element('dt', {}, name), element('dd', {}, value, more))
    return { whole, value, more, text }
  })

  constructor() {
    byId('tiles').append(...this.#shown.map(({ whole }) => whole))
  }

  show(store: Store): void {
    for (const { whole, value, more, text } of this.#shown) {
      const shown = text((column) => store.newest(column) ?? NaN)
      setText(value, shown.value)
      setText(more, shown.more)
      whole.classList.toggle('bad', shown.isBad === true)
    }
  }
}

function sum(newest: Newest, columns: readonly Column[]): number {
  return columns.reduce((total, column) => total + newest(column), 0)
}
