/** The dashboards of other servers, which the setting `dashboard_instances` names. */
import type { IncomingMessage, RequestOptions } from 'node:http'
import { COLUMNS } from '../../dashboard/columns.ts'
import type { HistoryAnswer, InstanceAnswer } from '../../dashboard/protocol.ts'

/** How long another server may take to answer, in milliseconds. */
const ANSWER_MS = 2000
/** The most bytes of an answer. */
const LARGEST = 1024 * 1024
/** How much of its history is asked for, in seconds. */
export const SHOWN_SECONDS = 300

/**
 * Asks one of them. Only the addresses of the setting get here: no request of a client decides who
 * is asked, and redirects are not followed.
 *
 * @param address `http://10.0.0.2:9400`
 */
export async function askPeer(address: string): Promise<InstanceAnswer> {
  const name = new URL(address).host
  try {
    const answer = await get(`${address}/dashboard/history?seconds=${SHOWN_SECONDS}`)
    return { name, address, problem: null, history: read(answer) }
  } catch (error) {
    return { name, address, problem: (error as Error).message, history: null }
  }
}

/** @throws Error with a reason for the user */
async function get(address: string): Promise<unknown> {
  const { request } = address.startsWith('https:')
    ? await import('node:https')
    : await import('node:http')
  const options: RequestOptions = {
    agent: false,
    headers: { Accept: 'application/json' },
    signal: AbortSignal.timeout(ANSWER_MS),
  }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(address, options, resolve).on('error', reject).end()
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.name === 'AbortError' || error.name === 'TimeoutError')
      throw new Error(`it did not answer within ${ANSWER_MS / 1000} s`)
    throw new Error(`it cannot be reached (${error.code ?? error.message})`)
  })
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > LARGEST) throw new Error('its answer is too long')
      chunks.push(chunk)
    }
  } finally {
    response.destroy()
  }
  if (response.statusCode !== 200)
    throw new Error(`it has no dashboard (it answered ${response.statusCode})`)
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new Error('its answer is not JSON')
  }
}

/** Takes what is expected of an answer, and nothing else. @throws Error */
function read(value: unknown): HistoryAnswer {
  const given = (value ?? {}) as Record<string, unknown>
  const texts = ['boot', 'version', 'application', 'state'] as const
  const isNumbers = (list: unknown, length: number): list is (number | null)[] =>
    Array.isArray(list) &&
    list.length === length &&
    list.every((one) => one === null || typeof one === 'number')
  const { times, columns, startedAt } = given
  if (
    texts.some((name) => typeof given[name] !== 'string') ||
    typeof startedAt !== 'number' ||
    !Array.isArray(times) ||
    !isNumbers(times, times.length) ||
    typeof columns !== 'object' ||
    columns === null
  )
    throw new Error('its answer is not that of a dashboard')
  // A server of another version may have other columns.
  const nothing = times.map(() => null)
  const own = Object.fromEntries(
    COLUMNS.map((name) => {
      const values = (columns as Record<string, unknown>)[name]
      return [name, isNumbers(values, times.length) ? values : nothing]
    }),
  ) as unknown as HistoryAnswer['columns']
  const { boot, version, application, state } = given as Record<(typeof texts)[number], string>
  return {
    ...{ boot, version, application, state, startedAt },
    ...{ details: false, actions: false, others: 0, next: 0 },
    times: times as number[],
    columns: own,
  }
}
