import { expect } from 'vitest'
import { startEndurance } from '../support/endurance-application.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { get } from '../support/plain-application.ts'
import { quantile } from '../support/quantile.ts'
import {
  descriptorLimit,
  expectDescriptors,
  mebibytes,
  resourcesOf,
  settledDescriptors,
} from '../support/resources.ts'
import { streamFor } from '../support/steady-stream.ts'

/** What other files of a process may be open beside the connections. */
const spare = 500

/**
 * Holds that many keep-alive connections, each of which has had an answer, while others are
 * answered; twice, for what the first time leaves behind would add up.
 *
 * @param wanted How many, as far as the limit of open files lets.
 * @param duration For how many milliseconds others are answered meanwhile.
 * @param timed Whether the clock counts too, as on a machine that has nothing else to do.
 */
export async function idleConnections(
  wanted: number,
  duration: number,
  timed = false,
): Promise<void> {
  // The server keeps a fifth for files.
  const count = Math.min(wanted, Math.floor((descriptorLimit() - spare) * 0.8) - spare)
  if (count < wanted)
    console.log(`the limit of open files allows ${count} connections, not ${wanted}`)
  const server = await startEndurance([
    '--keep-alive',
    '600',
    '--max-connections',
    String(count + spare),
  ])
  const acceptor = server.acceptor()
  const stream = { clients: 4, pause: 1, request: () => get('/') }

  await streamFor(server, duration / 2, stream)
  const alone = await streamFor(server, duration, stream)
  expect(alone.faults).toEqual([])
  await settledDescriptors([acceptor])
  const before = resourcesOf(acceptor)
  const held: number[] = []

  for (const round of [1, 2]) {
    const clients: KeepAliveClient[] = []
    while (clients.length < count) {
      const more = Math.min(250, count - clients.length)
      const opened = await Promise.all(
        Array.from({ length: more }, () => KeepAliveClient.open(server)),
      )
      const answers = await Promise.all(opened.map((client) => client.request(get('/'))))
      expect(answers.filter(({ status, body }) => status !== 200 || body !== 'hello\n')).toEqual([])
      clients.push(...opened)
    }
    expect(resourcesOf(acceptor).descriptors.socket).toBe((before.descriptors.socket ?? 0) + count)

    const others = await streamFor(server, duration, stream)
    expect(others.faults).toEqual([])
    expect(others.sent.every(({ answer }) => answer.status === 200)).toBe(true)
    const withThem = resourcesOf(acceptor)
    held.push(withThem.resident)

    // All are still there, and any of them can be used: every n-th is.
    expect(clients.filter((client) => !client.isOpen)).toEqual([])
    const sample = clients.filter((_, n) => n % Math.ceil(count / 500) === 0)
    for (const client of sample)
      expect(await client.request(get('/'))).toMatchObject({ status: 200 })
    expect(clients.filter((client) => !client.isOpen || client.surplus > 0)).toEqual([])

    for (const client of clients) client.close()
    await expectDescriptors(acceptor, before.descriptors)
    const after = resourcesOf(acceptor)

    const each = (withThem.resident - before.resident) / count
    const waits = (sent: typeof others.sent, share: number) =>
      quantile(
        sent.map(({ answer }) => answer.milliseconds),
        share,
      )
    const times = (sent: typeof others.sent) =>
      `median ${waits(sent, 0.5).toFixed(2)} ms, p99 ${waits(sent, 0.99).toFixed(2)} ms`
    console.log(
      `${count} idle connections, ${round === 1 ? 'first time' : 'once more'}: acceptor ` +
        `${mebibytes(before.resident)} before, ` +
        `${mebibytes(withThem.resident)} with (${(each / 1024).toFixed(1)} KiB each), ` +
        `${mebibytes(after.resident)} after; ` +
        `others meanwhile: ${times(others.sent)} (without: ${times(alone.sent)}); ` +
        `${sample.length} of them used again`,
    )
    expect(each).toBeLessThan(48 * 1024 + (16 * 1024 * 1024) / count)
    // What else the machine does comes and goes by some milliseconds, between the one time and the
    // other.
    if (timed) expect(waits(others.sent, 0.5)).toBeLessThan(3 * waits(alone.sent, 0.5) + 20)
  }
  // What the first ten thousand needed serves the second.
  expect(held[1]).toBeLessThan((held[0] ?? 0) * 1.25 + 16 * 1024 * 1024)
}
