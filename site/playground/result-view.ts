import { element, withErrorLinks } from './html.ts'
import type { Exchange, LogEntry, Response, RunResult } from './protocol.ts'

/** Shows what came of a run: the parts of the last exchange, as they are. */
export class ResultView {
  readonly root = element('div', { class: 'mp-result' })
  readonly #errors: string | undefined

  /** @param errors the folder that has the pages of errors, if there is one */
  constructor(errors: string | undefined) {
    this.#errors = errors
  }

  clear(): void {
    this.root.replaceChildren()
  }

  showFailure(failure: string, log: readonly LogEntry[]): void {
    this.root.replaceChildren(
      part(
        'The program could not be loaded',
        element(
          'pre',
          { class: 'mp-error', tabindex: '0' },
          ...withErrorLinks(failure, this.#errors),
        ),
      ),
      ...logPart(log, false, this.#errors),
    )
  }

  show({ loading, exchanges }: RunResult, sent: Uint8Array, extra: readonly LogEntry[]): void {
    const exchange = exchanges.at(-1)
    if (exchange === undefined) return
    const log = [...extra, ...loading, ...exchange.log]
    this.root.replaceChildren(
      responsePart(exchange.response),
      ...pagePart(exchange.response),
      ...logPart(log, true, this.#errors),
      part('Request', element('pre', { tabindex: '0' }, visible(sent)), false),
      environPart(exchange.environ),
    )
  }
}

/** One line about a run, for the live region. */
export function summaryOf({ exchanges, failure }: RunResult): string {
  if (failure !== null) return 'The program could not be loaded.'
  const exchange = exchanges.at(-1)
  if (exchange === undefined) return 'There is no answer.'
  const { response, log } = exchange
  const errors = log.some(({ from }) => from === 'server' || from === 'stderr')
  const more = errors ? ' The log has more.' : ''
  if (response === null) return `The connection was closed without a response.${more}`
  const bytes = response.body.length === 1 ? '1 byte' : `${response.body.length} bytes`
  const broken = response.complete ? '' : ' The response broke off before its end.'
  return `${response.status}, ${bytes}.${broken}${more}`
}

function part(title: string, content: Node, open = true): HTMLElement {
  const details = element(
    'details',
    open ? { open: '' } : {},
    element('summary', {}, title),
    content,
  )
  return details
}

function responsePart(response: Response | null): HTMLElement {
  if (response === null)
    return part('Response', element('p', {}, 'The connection was closed without a response.'))
  const { status, headers, body, complete } = response
  const head = element('pre', { class: 'mp-head', tabindex: '0' })
  head.append(element('strong', {}, status), '\n')
  for (const [name, value] of headers)
    head.append(element('span', { class: 'mp-name' }, name), `: ${value}\n`)
  const content = element('pre', { class: 'mp-body', tabindex: '0' }, visible(body))
  const all = element('div', {}, head, content)
  if (!complete)
    all.append(element('p', { class: 'mp-broken' }, 'The response broke off here, before its end.'))
  return part('Response', all)
}

/** An HTML response as a page, which can neither run scripts nor leave its frame. */
function pagePart(response: Response | null): HTMLElement[] {
  const type = response?.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  if (response === null || type === undefined || !/^text\/html\b/i.test(type)) return []
  const frame = element('iframe', { sandbox: '', title: 'The response as a page' })
  frame.srcdoc = new TextDecoder().decode(response.body)
  return [part('Page', frame)]
}

function logPart(
  log: readonly LogEntry[],
  always: boolean,
  errors: string | undefined,
): HTMLElement[] {
  if (log.length === 0)
    return always ? [part('Log', element('p', {}, 'Nothing was written.'), false)] : []
  const list = element('div', { class: 'mp-log' })
  for (const { from, text } of log) {
    list.append(
      element('div', { class: 'mp-from' }, from),
      element('pre', { tabindex: '0' }, ...withErrorLinks(text.replace(/\n$/, ''), errors)),
    )
  }
  return [part('Log', list)]
}

function environPart(environ: Exchange['environ']): HTMLElement {
  if (environ === null)
    return part('environ', element('p', {}, 'No application was called.'), false)
  const body = element('tbody')
  for (const [name, value] of environ)
    body.append(element('tr', {}, element('th', { scope: 'row' }, name), element('td', {}, value)))
  const table = element('table', { class: 'mp-environ' }, body)
  const scroller = element(
    'div',
    { class: 'mp-scroller', tabindex: '0', role: 'region', 'aria-label': 'environ' },
    table,
  )
  return part('environ', scroller, false)
}

/** Text as UTF-8; bytes that are no text are shown as such. */
function visible(bytes: Uint8Array): string {
  const shown = bytes.length > 64 * 1024 ? bytes.subarray(0, 64 * 1024) : bytes
  const text = new TextDecoder().decode(shown).replaceAll('\r\n', '\n')
  return shown === bytes ? text : `${text}\n… (${bytes.length} bytes)`
}
