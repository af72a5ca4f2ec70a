import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { ExportOptions } from './otel-environment.ts'

/** What became of a request to the collector. */
export type Outcome =
  | { readonly kind: 'taken'; readonly response: Buffer }
  /** Another attempt may help, after `after` milliseconds if the collector says so. */
  | { readonly kind: 'later'; readonly reason: string; readonly after: number | null }
  | { readonly kind: 'refused'; readonly reason: string }

/** Answers that ask for another attempt (OTLP/HTTP "Failures"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])
/** What is read of a response, in bytes. */
const LONGEST_RESPONSE = 64 * 1024
/** The longest wait that a collector may ask for, in milliseconds. */
const LONGEST_WAIT = 60_000

type Request = (url: URL, options: RequestOptions) => ClientRequest

/** Sends requests to a collector, one at a time, over a connection that stays open. */
export class Collector {
  readonly #options: ExportOptions
  readonly #contentType: string
  readonly #request: Request
  readonly #agent: { destroy(): void }
  #current: ClientRequest | null = null

  private constructor(
    options: ExportOptions,
    contentType: string,
    request: Request,
    agent: { destroy(): void },
  ) {
    this.#options = options
    this.#contentType = contentType
    this.#request = request
    this.#agent = agent
  }

  /** Loads the client that the URL needs. */
  static async open(options: ExportOptions, contentType: string): Promise<Collector> {
    if (options.url.protocol === 'https:') {
      const { Agent, request } = await import('node:https')
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ...options.tls })
      return new Collector(options, contentType, (url, rest) => request(url, rest), agent)
    }
    const { Agent, request } = await import('node:http')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    return new Collector(options, contentType, (url, rest) => request(url, rest), agent)
  }

  /** For the log: without a password. */
  get name(): string {
    const url = new URL(this.#options.url)
    url.username = ''
    url.password = ''
    url.search = ''
    return url.href
  }

  /** Never rejects. */
  async send(body: Buffer): Promise<Outcome> {
    const { url, headers, gzip, timeout } = this.#options
    const sent = gzip ? await compressed(body) : body
    return new Promise((resolve) => {
      const request = this.#request(url, {
        method: 'POST',
        agent: this.#agent as NonNullable<RequestOptions['agent']>,
        headers: {
          ...headers,
          'Content-Type': this.#contentType,
          'Content-Length': sent.length,
          ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
        },
      })
      this.#current = request
      const late = setTimeout(() => {
        request.destroy(new Error(`no answer within ${timeout / 1000} s`))
      }, timeout)
      late.unref()
      const done = (outcome: Outcome) => {
        clearTimeout(late)
        if (this.#current === request) this.#current = null
        resolve(outcome)
      }
      const failed = (error: Error) => done({ kind: 'later', reason: reasonOf(error), after: null })
      request.on('error', failed)
      request.on('response', (response) => {
        response.on('error', failed)
        void answerOf(response).then(done, failed)
      })
      request.end(sent)
    })
  }

  /** Ends what is under way, and the connection. */
  close(): void {
    this.#current?.destroy(new Error('the server stops'))
    this.#agent.destroy()
  }
}

async function answerOf(response: IncomingMessage): Promise<Outcome> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length <= LONGEST_RESPONSE) chunks.push(chunk)
  }
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return { kind: 'taken', response: Buffer.concat(chunks) }
  const reason = `it answered ${status}`
  if (!RETRYABLE.has(status)) return { kind: 'refused', reason }
  const seconds = Number(response.headers['retry-after'])
  const after = seconds >= 0 ? Math.min(seconds * 1000, LONGEST_WAIT) : null
  return { kind: 'later', reason, after }
}

/** Of several attempts (IPv6, IPv4), Node.js has the errors in a list and an empty message. */
function reasonOf(error: Error): string {
  const { errors } = error as AggregateError
  return errors?.length > 0 ? errors.map(({ message }: Error) => message).join(', ') : error.message
}

async function compressed(body: Buffer): Promise<Buffer> {
  const { gzip } = await import('node:zlib')
  return new Promise((resolve, reject) => {
    gzip(body, (error, result) => (error === null ? resolve(result) : reject(error)))
  })
}
