import type { SettingShown } from '../protocol.ts'
import { element, section, table } from './dom.ts'

/** The settings in force, and where they come from. The server has hidden what is secret. */
export class Configuration {
  readonly whole: HTMLElement
  readonly #body: HTMLElement
  readonly #all = element('input', { type: 'checkbox' })
  #settings: readonly SettingShown[] = []
  #key = ''

  constructor() {
    const { whole, body } = table('Settings', [['Setting'], ['Value'], ['From']])
    this.#body = body
    this.#all.addEventListener('change', () => this.#draw())
    const form = element('div', { class: 'form' }, element('label', {}, this.#all, 'Also defaults'))
    this.whole = section('Settings in force', form, whole)
  }

  show(settings: readonly SettingShown[]): void {
    const key = JSON.stringify(settings)
    if (key === this.#key) return
    this.#key = key
    this.#settings = settings
    this.#draw()
  }

  #draw(): void {
    const shown = this.#settings.filter(({ source }) => source !== null || this.#all.checked)
    this.#body.replaceChildren(
      ...shown.map(({ name, value, source }) =>
        element(
          'tr',
          {},
          element('th', { scope: 'row', class: 'mono' }, name),
          element('td', { class: 'wide mono' }, valueText(value)),
          element('td', { class: 'soft' }, source ?? 'default'),
        ),
      ),
    )
  }
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.map(valueText).join(', ') : JSON.stringify(value)
}
