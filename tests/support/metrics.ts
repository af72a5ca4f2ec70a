import { request } from 'node:http'
import type { RunningServer } from './running-server.ts'
import { waitFor } from './wait-for.ts'

/** An answer of the address of `metrics_bind`. */
export interface OperationsReply {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Where a server that was started with `--metrics-bind 127.0.0.1:0` shows its metrics. */
export async function metricsAddress(server: RunningServer): Promise<string> {
  const match = await server.waitForLog(/Metrics and health at (http:\/\/\S+|unix:\S+)/)
  return match[1]!
}

/** Asks an address of `metrics_bind`, also one of a unix socket. */
export function ask(
  address: string,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<OperationsReply> {
  const where = address.startsWith('unix:')
    ? { socketPath: address.slice(5) }
    : { host: new URL(address).hostname, port: new URL(address).port }
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, agent: false, ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** The metrics of a server at one moment. */
export class Scraped {
  readonly #values = new Map<string, number>()

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const match = /^([a-z0-9_]+)(?:\{(.*?)\})? (\S+)/.exec(line)
      if (match !== null) this.#values.set(seriesKey(match[1]!, match[2] ?? ''), Number(match[3]))
    }
  }

  /** The sum of all series with these labels; 0 if there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    let sum = 0
    for (const [key, value] of this.#values) {
      const [found, ...pairs] = key.split('\0')
      const has = Object.entries(labels).every(([label, text]) =>
        pairs.includes(`${label}="${text}"`),
      )
      if (found === name && has) sum += value
    }
    return sum
  }

  /** How many series a metric has. */
  count(name: string): number {
    return [...this.#values.keys()].filter((key) => key.split('\0')[0] === name).length
  }
}

function seriesKey(name: string, labels: string): string {
  return [name, ...(labels.match(/[a-z_]+="(?:[^"\\]|\\.)*"/g) ?? [])].join('\0')
}

/**
 * What the server at that address shows now, all acceptors having answered: on a busy machine one
 * may need more than its second, and its counters are then those of its last answer.
 */
export function scrape(address: string): Promise<Scraped> {
  return waitFor('all acceptors to answer', async () => {
    const scraped = await scrapeOnce(address)
    return scraped.sum('monoceros_acceptors', { state: 'silent' }) === 0 && scraped
  })
}

/** What the server at that address shows now, whether its acceptors answer or not. */
export async function scrapeOnce(address: string): Promise<Scraped> {
  return new Scraped((await ask(address, '/metrics')).body)
}

/** Waits until the server says that it is ready, which an acceptor that stands still delays. */
export async function untilReady(address: string, path = '/readyz'): Promise<void> {
  await waitFor('the server to be ready', async () => (await ask(address, path)).status === 200)
}
