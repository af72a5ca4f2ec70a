import type { RequestsShown } from '../protocol.ts'
import { element, section, setList, setText, table } from './dom.ts'
import { formatSeconds } from './format.ts'

const SHOWN = 25
const STATES: Readonly<Record<string, string>> = {
  queued: 'waits for a worker',
  given: 'waits in a worker',
  running: 'in the application',
  sending: 'is being sent',
}

/** The requests that are not answered yet, the oldest first. */
export class Requests {
  readonly whole: HTMLElement
  readonly #body: HTMLElement
  readonly #note = element('p', { class: 'soft' })

  constructor() {
    const { whole, body } = table('Requests now', [
      ['Request'],
      ['State'],
      ['Since', 'number'],
      ['Worker', 'number'],
    ])
    this.#body = body
    this.whole = section('Requests now', whole, this.#note)
  }

  show({ requests, leftOut }: RequestsShown): void {
    const shown = requests.slice(0, SHOWN).map((request, index) => ({ ...request, index }))
    setList(
      this.#body,
      shown,
      ({ index }) => String(index),
      () =>
        element(
          'tr',
          {},
          element('td', { class: 'wide mono' }),
          element('td'),
          element('td', { class: 'number' }),
          element('td', { class: 'number' }),
        ),
      (row, { request, state, seconds, worker }) => {
        const since = formatSeconds(seconds)
        const texts = [request, STATES[state] ?? state, since, `${worker ?? '–'}`]
        for (const [index, text] of texts.entries()) setText(row.cells[index]!, text)
      },
    )
    const more = leftOut + requests.length - shown.length
    setText(
      this.#note,
      requests.length === 0 ? 'None.' : more > 0 ? `And ${more} more, which are younger.` : '',
    )
  }
}
