import { element } from './html.ts'
import type { RequestText } from './steps/types.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** The HTTP client's form: method, path, headers and body. */
export class RequestForm {
  readonly root = element('form', { class: 'mp-request' })
  readonly #method: HTMLSelectElement
  readonly #path: HTMLInputElement
  readonly #headers: HTMLTextAreaElement
  readonly #body: HTMLTextAreaElement
  readonly #more: HTMLDetailsElement

  /** @param send called when the form is submitted */
  constructor(id: string, requests: readonly RequestText[], send: () => void) {
    this.#method = element('select', { id: `${id}-method` })
    for (const method of METHODS) this.#method.append(element('option', { value: method }, method))
    this.#path = element('input', {
      id: `${id}-path`,
      type: 'text',
      spellcheck: 'false',
      autocomplete: 'off',
      autocapitalize: 'off',
      maxlength: '4000',
    })
    const area = { rows: '2', spellcheck: 'false', autocapitalize: 'off', maxlength: '65536' }
    this.#headers = element('textarea', { id: `${id}-headers`, ...area })
    this.#body = element('textarea', { id: `${id}-body`, ...area })
    const label = (name: string, text: string) => element('label', { for: `${id}-${name}` }, text)
    this.#more = element(
      'details',
      {},
      element('summary', {}, 'Headers and body'),
      label('headers', 'Headers, one a line'),
      this.#headers,
      label('body', 'Body'),
      this.#body,
    )
    const submit = element('button', { type: 'submit' }, 'Send')
    this.root.append(
      element('div', { class: 'mp-line' }, label('method', 'Method'), this.#method),
      element('div', { class: 'mp-line mp-path' }, label('path', 'Path'), this.#path),
      submit,
      ...(requests.length > 1 ? [this.#choices(id, requests)] : []),
      this.#more,
    )
    this.root.setAttribute('aria-label', 'Request')
    this.root.addEventListener('submit', (event) => {
      event.preventDefault()
      send()
    })
    this.fill(requests[0]!)
  }

  read(): RequestText {
    return {
      method: this.#method.value,
      path: this.#path.value,
      headers: this.#headers.value,
      body: this.#body.value,
    }
  }

  fill({ method, path, headers = '', body = '' }: RequestText): void {
    this.#method.value = method
    this.#path.value = path
    this.#headers.value = headers
    this.#body.value = body
    this.#more.open = headers !== '' || body !== ''
  }

  #choices(id: string, requests: readonly RequestText[]): HTMLElement {
    const select = element('select', { id: `${id}-choice` })
    requests.forEach((request, index) => {
      const { method, path, headers } = request
      const text = `${method} ${path}${headers === undefined ? '' : ' (with headers)'}`
      select.append(element('option', { value: String(index) }, text))
    })
    select.addEventListener('change', () => this.fill(requests[Number(select.value)]!))
    return element(
      'div',
      { class: 'mp-line' },
      element('label', { for: `${id}-choice` }, 'Requests of this step'),
      select,
    )
  }
}
