import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { getFrom } from '../support/from-address.ts'
import { hasPython } from '../support/python.ts'
import { RedisServer } from '../support/redis.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { hasProgram } from '../support/system-program.ts'
import { waitFor } from '../support/wait-for.ts'

const BURST = 20

describe.skipIf(!hasPython() || !hasProgram('redis-server'))('a rate limit in Redis', () => {
  let redis: RedisServer
  let servers: RunningServer[]

  beforeAll(async () => {
    redis = await RedisServer.start()
    const start = () =>
      startServer({
        app: 'flask_app:app',
        args: ['--rate-limit', `60/h:burst=${BURST}`, '--acceptors', '2', '--workers', '2'],
        cwd: appsDirectory,
        // A password is not to be shown in the log.
        env: { MONOCEROS_RATE_LIMIT_STORE: `redis://:secret@127.0.0.1:${redis.port}/1` },
      })
    servers = await Promise.all([start(), start()])
  })
  afterAll(async () => {
    await Promise.all((servers ?? []).map((server) => server.stop()))
    await redis?.stop()
  })

  /** How many of so many requests of an address to both servers are allowed. */
  async function allowed(address: string, count: number): Promise<number> {
    const answers = Array.from({ length: count }, (_, i) => getFrom(address, servers[i % 2]!))
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([])
    return statuses.filter((status) => status === 200).length
  }

  /** Waits until both servers have said so since `from`. */
  const said = (pattern: RegExp, from: readonly number[]) =>
    Promise.all(servers.map((server, i) => server.waitForLog(pattern, { from: from[i]! })))

  const here = () => servers.map((server) => server.log().length)

  let clients = 0
  const newClient = () => {
    clients++
    return `127.0.${1 + Math.floor(clients / 250)}.${1 + (clients % 250)}`
  }

  /** Waits until no acceptor counts by itself; a busy machine is enough for one to begin to. */
  const allAskRedis = () =>
    waitFor('Redis to count for all acceptors', async () => {
      const times = (log: string, code: string) => log.split(`[${code}]`).length
      const ask = (log: string) => times(log, 'MONO8302') === times(log, 'MONO8303')
      if (servers.every((server) => ask(server.log()))) return true
      await allowed(newClient(), 8)
      return false
    })

  test('is one for two servers with two acceptors each', async () => {
    const exact = await waitFor('a count that Redis was there for', async () => {
      await allAskRedis()
      const from = here()
      const address = newClient()
      const passed = await allowed(address, 60)
      const { status, headers } = await getFrom(address, servers[0]!)
      if (passed === BURST && status === 429) return headers
      // Only acceptors that had no answer in time, and said so, may let more pass.
      await Promise.any(
        servers.map((server, i) =>
          server.waitForLog(/MONO8302/, { from: from[i]!, timeout: 5000 }),
        ),
      ).catch(() => expect({ passed, status }).toEqual({ passed: BURST, status: 429 }))
      return null
    })
    expect(exact.ratelimit).toMatch(/^"60\/h:burst=20";r=0;t=[0-9]+$/)
    expect(Number(exact['retry-after'])).toBeGreaterThan(30)
    await servers[0]!.waitForLog(/Refused .* with 429: .* \[MONO4026\]/)
  })

  test('is counted by the servers themselves while Redis is down, and then by Redis again', async () => {
    await allAskRedis()
    const before = here()
    await redis.kill()
    const passed = await allowed('127.0.0.6', 100)
    // Each of the four acceptors has a bucket of its own.
    expect(passed).toBeGreaterThanOrEqual(BURST)
    expect(passed).toBeLessThanOrEqual(4 * BURST)
    await said(
      /cannot be counted in Redis at redis:\/\/127\.0\.0\.1:[0-9]+\/1 \(.* \[MONO8302\]/,
      before,
    )

    await redis.start()
    const down = here()
    await waitFor('Redis to count again', async () => {
      // Of a client over the limit, Redis is not asked.
      await allowed(newClient(), 8)
      return servers.every((server, i) => server.log().slice(down[i]).includes('again [MONO8303]'))
    })
    servers.forEach((server, i) => {
      expect(server.log()).not.toContain('secret')
      // A line for each acceptor, and not one for each request.
      const lines = server
        .log()
        .slice(before[i], down[i])
        .split('\n')
        .filter((line) => line.includes('cannot be counted'))
      expect(lines.length).toBeLessThanOrEqual(2)
    })
  })

  test('does not hold up requests when Redis hangs', async () => {
    redis.freeze()
    try {
      const began = performance.now()
      const passed = await allowed('127.0.0.7', 40)
      expect(passed).toBeGreaterThanOrEqual(BURST)
      // Half a second for the first ones, and then nothing.
      expect(performance.now() - began).toBeLessThan(10_000)
    } finally {
      redis.thaw()
    }
  })
})

test('TypeScript processes share a limit, and keep it when they are replaced', async () => {
  const server = await startServer({
    app: './typescript/app.ts:app',
    args: ['--workers', '2', '--rate-limit', '10/h'],
    cwd: appsDirectory,
  })
  const statuses = async (count: number) => {
    const answers: number[] = []
    for (let i = 0; i < count; i++) answers.push((await getFrom('127.0.0.5', server)).status)
    return answers
  }
  const some = await statuses(6)
  server.signal('SIGHUP')
  await server.waitForLog(/Reloaded/)
  const others = await statuses(9)
  expect([...some, ...others]).toEqual([...new Array(10).fill(200), ...new Array(5).fill(429)])
})
