import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, KeepAliveClient } from './keep-alive-client.ts'
import type { Target } from './raw-client.ts'

/** One request of the stream, and what came of it. Times as of `performance.now()`. */
export interface Sent {
  number: number
  sentAt: number
  answer: Answer
}

export interface StreamReport {
  sent: Sent[]
  /** Requests that were not answered at all. */
  faults: string[]
}

export interface StreamOptions {
  clients: number
  /** The bytes of request `number`; each number is used once. */
  request: (number: number) => string
  /** Milliseconds that a client waits after each answer; none by default. */
  pause?: number
}

/**
 * Clients that send small requests one after another, each over its keep-alive connection, until
 * they are stopped. An answer of any status is an answer; a connection that ends without having
 * said so is a fault.
 */
export async function startStream(target: Target, { clients, request, pause = 0 }: StreamOptions) {
  const report: StreamReport = { sent: [], faults: [] }
  let stopping = false
  let last = 0

  async function run(first: KeepAliveClient): Promise<void> {
    let client = first
    while (!stopping) {
      const number = last++
      const sentAt = performance.now()
      const answer = await client.request(request(number))
      report.sent.push({ number, sentAt, answer })
      if (answer.closes) {
        client.close()
        client = await KeepAliveClient.open(target)
      }
      if (pause > 0) await sleep(pause)
    }
    // Whoever is answered twice hears it now.
    await sleep(20)
    if (client.surplus > 0) report.faults.push(`${client.surplus} bytes that nobody asked for`)
    client.close()
  }

  const opened = await Promise.all(
    Array.from({ length: clients }, () => KeepAliveClient.open(target)),
  )
  const running = Promise.all(
    opened.map((client) =>
      run(client).catch((error: Error) => {
        report.faults.push(error.message)
      }),
    ),
  )
  return {
    report,
    stop: async (): Promise<StreamReport> => {
      stopping = true
      await running
      return report
    },
  }
}

/** Runs such a stream for that many milliseconds. */
export async function streamFor(
  target: Target,
  duration: number,
  options: StreamOptions,
): Promise<StreamReport> {
  const stream = await startStream(target, options)
  await sleep(duration)
  return stream.stop()
}
