import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Attack } from './http2-attacks.ts'
import { RawHttp2 } from './http2-frames.ts'
import { childrenOf } from './processes.ts'
import { forgetPeak, processorTime, resourcesOf } from './resources.ts'
import type { RunningServer } from './running-server.ts'
import { waitFor } from './wait-for.ts'

/** What an attack may cost an acceptor in memory, in bytes. */
const MEMORY = 96 * 1024 * 1024
/** And in processor time, in milliseconds. */
const PROCESSOR = 4000

/** Opens a session of a client that means no harm. */
export function goodClient(server: RunningServer, tls = false): ClientHttp2Session {
  const session = connect(`${tls ? 'https' : 'http'}://127.0.0.1:${server.port}`, {
    rejectUnauthorized: false,
  })
  session.on('error', () => {})
  return session
}

/** One request of it. @returns the status */
export function ask(session: ClientHttp2Session, path = '/'): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path })
    let status = 0
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0
    })
    stream.on('error', reject)
    stream.on('close', () => resolve(status))
    stream.resume()
  })
}

/**
 * Runs an attack while another client asks, and expects that the attack has ended, is named in the
 * log, and has cost little; and that the other client was answered, during it and after it.
 */
export async function survive(
  server: RunningServer,
  attack: Attack,
  options: { tls?: boolean } = {},
): Promise<void> {
  const [acceptor = 0] = childrenOf(server.pid)
  const from = server.log().length
  const good = goodClient(server, options.tls)
  expect(await ask(good)).toBe(200)
  forgetPeak(acceptor)
  const before = resourcesOf(acceptor).resident
  const began = processorTime(acceptor)
  const attacker = await RawHttp2.open(server, options)
  let over = false
  const attacking = attack.run(attacker).finally(() => {
    over = true
  })
  let answers = 0
  const isOver = () =>
    over || attacker.ended || (typeof attack.ends === 'number' && attacker.goaway !== null)
  while (!isOver()) {
    expect(await ask(good)).toBe(200)
    answers++
    await sleep(20)
  }
  if (typeof attack.ends === 'number') {
    // An attack that fits into the buffers of its socket is over before the server has read it.
    await waitFor('a GOAWAY', () => attacker.goaway !== null || attacker.ended)
    expect(attacker.goaway).toBe(attack.ends)
  } else await server.waitForLog(attack.ends, { from })
  attacker.close()
  await attacking
  expect(await ask(good)).toBe(200)
  good.close()
  expect(answers).toBeGreaterThan(0)
  expect(resourcesOf(acceptor).peak - before).toBeLessThan(MEMORY)
  expect(processorTime(acceptor) - began).toBeLessThan(PROCESSOR)
}
