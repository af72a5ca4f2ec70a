import type { Api } from './api.ts'
import { byId, element, section, setText } from './dom.ts'
import { formatSeconds } from './format.ts'

/** Reload and scale, and the token that they need. */
export class Actions {
  readonly whole: HTMLElement
  readonly #api: Api
  readonly #said = element('p', { role: 'status' })
  readonly #form: HTMLElement
  readonly #hint = element('p', { class: 'soft' })
  readonly #buttons: HTMLButtonElement[] = []
  readonly #unlocked: () => void

  /** @param unlocked called when the user has given the token */
  constructor(api: Api, unlocked: () => void) {
    this.#api = api
    this.#unlocked = unlocked
    const reload = this.#button('Reload', async () => {
      setText(this.#said, 'Reloads …')
      const { generation, seconds } = await api.act<{ generation: number; seconds: number }>(
        'reload',
      )
      return `Reloaded in ${formatSeconds(seconds)}; this is generation ${generation}.`
    })
    const scale = (by: number, name: string) =>
      this.#button(name, async () => {
        const { workers } = await api.act<{ workers: number }>('scale', { by })
        return `There are to be ${workers} workers.`
      })
    this.#form = element(
      'div',
      { class: 'form' },
      reload,
      scale(1, 'One worker more'),
      scale(-1, 'One worker fewer'),
    )
    this.whole = section('Actions', this.#form, this.#hint, this.#said)
    this.#listen()
  }

  /** @param possible whether the server has a control token */
  show(possible: boolean): void {
    byId('unlock').hidden = !possible || this.#api.hasToken
    this.#form.hidden = !this.#api.hasToken
    setText(
      this.#hint,
      this.#api.hasToken
        ? ''
        : possible
          ? 'Enter the control token to reload, scale, replace workers and take profiles.'
          : 'Start the server with --control-token-file FILE to act from here. ' +
            'monoceros ctl works without.',
    )
  }

  async replace(pid: number): Promise<void> {
    await this.#do(async () => {
      await this.#api.act('restart', { pid })
      return `Process ${pid} is being replaced.`
    })
  }

  #button(name: string, action: () => Promise<string>): HTMLButtonElement {
    const button = element('button', { type: 'button' }, name)
    button.addEventListener('click', () => void this.#do(action))
    this.#buttons.push(button)
    return button
  }

  async #do(action: () => Promise<string>): Promise<void> {
    for (const button of this.#buttons) button.disabled = true
    try {
      setText(this.#said, await action())
    } catch (error) {
      setText(this.#said, `Not done: ${(error as Error).message}`)
    } finally {
      for (const button of this.#buttons) button.disabled = false
    }
  }

  #listen(): void {
    const dialog = byId<HTMLDialogElement>('token-dialog')
    const input = byId<HTMLInputElement>('token')
    const wrong = byId('token-error')
    byId('unlock').addEventListener('click', () => dialog.showModal())
    byId('token-cancel').addEventListener('click', () => dialog.close())
    dialog.addEventListener('close', () => {
      input.value = ''
      setText(wrong, '')
    })
    byId<HTMLFormElement>('token-form').addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#api.useToken(input.value.trim()).then(
        () => {
          dialog.close()
          this.#unlocked()
        },
        (error: Error) =>
          setText(
            wrong,
            error instanceof TypeError ? 'The server does not answer.' : 'This is not the token.',
          ),
      )
    })
  }
}
