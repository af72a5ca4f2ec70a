import type { LogRecord } from '../../observe/server-state.ts'
import { element, section, setList } from './dom.ts'
import { formatTime } from './format.ts'

const RANKS: Readonly<Record<string, number>> = {
  debug: 0,
  info: 1,
  warning: 2,
  error: 3,
  critical: 4,
}

/** The end of the error log. It follows new entries while its end is in view. */
export class Log {
  readonly whole: HTMLElement
  readonly #place = element('div', {
    class: 'log mono',
    tabindex: 0,
    role: 'region',
    'aria-label': 'Entries of the log',
  })
  readonly #level = element(
    'select',
    {},
    ...['debug', 'info', 'warning', 'error'].map((level) => element('option', {}, level)),
  )
  readonly #search = element('input', { type: 'search', spellcheck: 'false' })
  #entries: readonly LogRecord[] = []

  constructor() {
    const form = element(
      'div',
      { class: 'form' },
      element('label', {}, 'At least', this.#level),
      element('label', {}, 'With the text', this.#search),
    )
    this.#level.addEventListener('change', () => this.#draw())
    this.#search.addEventListener('input', () => this.#draw())
    this.whole = section('Log', form, this.#place)
    this.whole.className = 'whole'
  }

  show(entries: readonly LogRecord[]): void {
    this.#entries = entries
    this.#draw()
  }

  #draw(): void {
    const place = this.#place
    const follows = place.scrollHeight - place.scrollTop - place.clientHeight < 40
    const least = RANKS[this.#level.value] ?? 0
    const wanted = this.#search.value.toLowerCase()
    const shown = this.#entries.filter(
      ({ level, text }) =>
        (RANKS[level] ?? 1) >= least && (wanted === '' || text.toLowerCase().includes(wanted)),
    )
    setList(place, shown, ({ pid, number, at }) => `${pid} ${number} ${at}`, line)
    if (follows) place.scrollTop = place.scrollHeight
  }
}

function line({ at, pid, level, text }: LogRecord): HTMLElement {
  return element(
    'p',
    {},
    element('span', { class: 'when' }, formatTime(at)),
    ` [${pid}] `,
    element('span', { class: `level ${level}` }, level),
    ` ${text}`,
  )
}
