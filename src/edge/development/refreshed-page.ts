import { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import {
  type Field,
  type ResponseHead,
  responseField,
  responseHead,
} from '../../http/response-head.ts'
import { notOfLongerPage } from '../../semantics/longer-page.ts'
import { RelayedExchange } from '../relayed-exchange.ts'
import { SCRIPT_PATH } from './refresh-script.ts'

/** Whether a browser asks for a page, and not for a part of one. */
export function asksForPage(head: RequestHead): boolean {
  if (head.method !== 'GET' && head.method !== 'HEAD') return false
  const destination = head.get('sec-fetch-dest')
  if (destination !== undefined) return /^i?frame$|^document$/.test(destination)
  return (
    (head.get('accept')?.includes('text/html') ?? false) &&
    head.get('x-requested-with') === undefined &&
    head.get('hx-request') === undefined
  )
}

/**
 * Adds the script to the answer if that is a page. The script comes after everything else, so that
 * a page that is streamed is not held up, and its length is known from the start.
 */
export class RefreshedPage extends RelayedExchange {
  readonly #version: number
  /** The script's element; null if the answer has none. */
  #element: Buffer | null = null
  /** Bytes of the page itself that were given to the engine and have not left the process. */
  #unwritten = 0

  constructor(reply: Reply, version: number) {
    super(reply)
    this.#version = version
  }

  override respond(head: ResponseHead, body: Span): boolean {
    const changed = this.#changed(head)
    // The answer to HEAD may come without the body that its length would be known from.
    if (changed === head || (body.length === 0 && head.contentLength === -1))
      return this.reply.respond(head, body)
    const all = Buffer.concat([body.view(), this.#element!])
    this.reply.respond(changed, new Span().set(all, 0, all.length))
    return false
  }

  override start(head: ResponseHead, body?: Span): boolean {
    if (body !== undefined) this.#unwritten += body.length
    return this.reply.start(this.#changed(head), body)
  }

  override data(body: Span): boolean {
    this.#unwritten += body.length
    return this.reply.data(body)
  }

  override finish(): void {
    const element = this.#element
    if (element !== null) this.reply.data(new Span().set(element, 0, element.length))
    this.reply.finish()
  }

  /** The head with which the script is added; the same head if it is not. */
  #changed(head: ResponseHead): ResponseHead {
    if (!isPage(head)) return head
    const element = elementFor(head, this.#version)
    this.#element = element
    const length = head.contentLength === -1 ? -1 : head.contentLength + element.length
    const fields: Field[] = head.fields.filter(([name]) => !notOfLongerPage.has(name.toLowerCase()))
    fields.push(['Cache-Control', 'no-store'])
    if (length !== -1) fields.push(['Content-Length', String(length)])
    return responseHead(head.status, fields, length, head.reason)
  }

  override written(bytes: number): void {
    // The handler has not given the bytes of the script.
    const own = Math.min(bytes, this.#unwritten)
    this.#unwritten -= own
    if (own > 0) this.sink.written(own)
  }
}

function isPage(head: ResponseHead): boolean {
  const { status } = head
  if (status === 204 || status === 205 || status === 206 || (status >= 300 && status < 400))
    return false
  if (!/^text\/html\b/i.test(responseField(head, 'content-type') ?? '')) return false
  const coding = responseField(head, 'content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return false
  return !/^attachment\b/i.test(responseField(head, 'content-disposition') ?? '')
}

/** The element is allowed by a policy with `'self'`, or with a nonce. */
function elementFor(head: ResponseHead, version: number): Buffer {
  const policy = responseField(head, 'content-security-policy') ?? ''
  const nonce = /'nonce-([A-Za-z0-9+/_=-]+)'/.exec(policy)
  const attribute = nonce === null ? '' : ` nonce="${nonce[1]}"`
  return Buffer.from(
    `\n<script src="${SCRIPT_PATH}?v=${version}"${attribute} async></script>\n`,
    'latin1',
  )
}
