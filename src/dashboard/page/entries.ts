import type { LogRecord } from '../../observe/server-state.ts'
import type { StatusShown } from '../protocol.ts'
import { element, section, setList, setText } from './dom.ts'
import { formatSeconds, formatTime } from './format.ts'

/** Entries of the log with a first line, and the rest of it when it is opened: newest first. */
export class Entries {
  readonly whole: HTMLElement
  readonly #list = element('ol', { class: 'entries' })
  readonly #note = element('p', { class: 'soft' })
  readonly #none: string

  /** @param none what is said while there are none */
  constructor(title: string, none: string) {
    this.#none = none
    this.whole = section(title, this.#list, this.#note)
  }

  show(records: readonly LogRecord[]): void {
    setList(
      this.#list,
      records.toReversed().slice(0, 20),
      ({ pid, number, at }) => `${pid} ${number} ${at}`,
      entry,
    )
    setText(this.#note, records.length === 0 ? this.#none : '')
  }
}

function entry({ at, pid, level, text }: LogRecord): HTMLElement {
  const [first = '', ...rest] = text.split('\n')
  const head = [
    element('time', { datetime: new Date(at).toISOString() }, formatTime(at)),
    ' ',
    element('span', { class: `level ${level}` }, level),
    ` [${pid}] ${first}`,
  ]
  // The last line of a traceback says what was raised.
  const raised = rest.findLast((line) => line.trim() !== '')
  if (raised === undefined) return element('li', {}, ...head)
  return element(
    'li',
    {},
    element('div', {}, ...head),
    element('div', { class: 'mono' }, raised.trim()),
    element(
      'details',
      {},
      element('summary', {}, 'Whole text'),
      element('pre', { tabindex: 0 }, text),
    ),
  )
}

/** Restarts by cause, the newest of them, and the last reload. */
export class Restarts {
  readonly whole: HTMLElement
  readonly #reload = element('div')
  readonly #counts = element('p')
  readonly #list = element('ol', { class: 'entries' })
  #reloadKey = ''

  constructor() {
    this.whole = section('Restarts and reloads', this.#reload, this.#counts, this.#list)
  }

  show({ lastReload, restarts, restartCounts }: StatusShown): void {
    const counts = Object.entries(restartCounts).filter(([, count]) => count > 0)
    const shown = counts.map(([cause, count]) => `${cause}: ${count}`).join(', ')
    setText(this.#counts, shown === '' ? 'No restarts so far.' : `Ended so far: ${shown}.`)
    setList(
      this.#list,
      restarts.toReversed().slice(0, 20),
      ({ at, pid }) => `${at} ${pid}`,
      ({ at, kind, pid, cause, reason }) =>
        element(
          'li',
          {},
          element('time', { datetime: new Date(at).toISOString() }, formatTime(at)),
          ' ',
          element('span', { class: `level ${cause === 'stopped' ? '' : 'error'}` }, cause),
          ` ${kind} ${pid}: ${reason}`,
        ),
    )
    this.#showReload(lastReload)
  }

  #showReload(reload: StatusShown['lastReload']): void {
    const key = JSON.stringify(reload)
    if (key === this.#reloadKey) return
    this.#reloadKey = key
    if (reload === null) return this.#reload.replaceChildren(element('p', {}, 'No reload so far.'))
    const { begunAt, result, cause, seconds, reason } = reload
    const took = seconds === null ? '' : `, ${formatSeconds(seconds)}`
    const isFailed = result === 'failed'
    this.#reload.replaceChildren(
      element(
        'p',
        {},
        element(
          'span',
          { class: `badge ${isFailed ? 'bad' : result === 'done' ? 'good' : ''}` },
          `reload ${result}`,
        ),
        ` at ${formatTime(begunAt)} by ${cause}${took}`,
        isFailed ? '. What served before serves on.' : '',
      ),
      reason === null ? '' : element('pre', { tabindex: 0 }, reason),
    )
  }
}
