import type { StatusShown } from '../protocol.ts'
import { element, section, setList, setText, table } from './dom.ts'
import { formatBytes, formatNumber, formatSeconds } from './format.ts'

type Acceptor = StatusShown['acceptors'][number]
type Worker = NonNullable<Acceptor['answer']>['workers'][number]

interface Row {
  readonly pid: number
  readonly kind: string
  readonly state: string
  readonly doing: string
  readonly taken: string
  readonly memory: string
  readonly cpu: string
}

/** The processes, with what each is doing. */
export class Workers {
  readonly whole: HTMLElement
  readonly #body: HTMLElement
  readonly #restart: (pid: number) => void
  #canAct = false

  constructor(restart: (pid: number) => void) {
    this.#restart = restart
    const { whole, body } = table('Processes', [
      ['Process'],
      ['Kind'],
      ['State'],
      ['Doing'],
      ['Requests', 'number'],
      ['Memory', 'number'],
      ['CPU time', 'number'],
      ['Action'],
    ])
    this.#body = body
    this.whole = section('Processes', whole)
    this.whole.className = 'whole'
  }

  show({ acceptors }: StatusShown, canAct: boolean): void {
    this.#canAct = canAct
    const rows = acceptors.flatMap((acceptor) => [
      acceptorRow(acceptor),
      ...(acceptor.answer?.workers ?? []).map(workerRow),
    ])
    setList(
      this.#body,
      rows,
      ({ pid, kind }) => `${kind} ${pid}`,
      (row) => this.#make(row),
      (made, row) => this.#update(made, row),
    )
  }

  #make({ pid, kind }: Row): HTMLTableRowElement {
    const button = element(
      'button',
      { type: 'button', 'aria-label': `Replace ${kind} ${pid}` },
      'Replace',
    )
    button.addEventListener('click', () => this.#restart(pid))
    return element(
      'tr',
      { 'data-pid': pid },
      element('th', { scope: 'row' }, String(pid)),
      element('td', {}, kind),
      element('td'),
      element('td', { class: 'wide' }),
      element('td', { class: 'number' }),
      element('td', { class: 'number' }),
      element('td', { class: 'number' }),
      element('td', {}, button),
    )
  }

  #update(made: HTMLTableRowElement, { state, doing, taken, memory, cpu }: Row): void {
    for (const [index, text] of [state, doing, taken, memory, cpu].entries())
      setText(made.cells[index + 2]!, text)
    made.cells[7]!.firstElementChild!.toggleAttribute('hidden', !this.#canAct)
  }
}

function acceptorRow({ pid, state, usage, answer, absent }: Acceptor): Row {
  const doing =
    answer === null
      ? (absent ?? '')
      : `${formatNumber(answer.connections)} connections, ` +
        `${formatNumber(answer.waiting)} requests waiting`
  return { pid, kind: 'acceptor', state, doing, taken: '', ...used(usage) }
}

function workerRow(worker: Worker): Row {
  const { pid, state, taken, running, recycling, application, usage = null } = worker
  const [first, ...others] = running
  const doing =
    first === undefined
      ? state === 'serving'
        ? 'nothing'
        : ''
      : `${first.request} for ${formatSeconds(first.seconds)}` +
        (others.length > 0 ? `, and ${others.length} more` : '')
  const shownState = recycling ? `${state}, being replaced` : state
  return {
    pid,
    kind: application === undefined ? 'worker' : `worker of ${application}`,
    state: shownState,
    doing,
    taken: formatNumber(taken),
    ...used(usage),
  }
}

function used(usage: Acceptor['usage']): { memory: string; cpu: string } {
  if (usage === null) return { memory: '–', cpu: '–' }
  return { memory: formatBytes(usage.memory), cpu: formatSeconds(usage.cpu) }
}
