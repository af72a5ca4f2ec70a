import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { overHttp2 } from '../pep3333/over-http2.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import type { RunningServer } from '../support/running-server.ts'
import { sizeLimits, strictLimits, usualLimits } from '../support/size-limits.ts'

// The sizes of tests/e2e/limits.test.ts over HTTP/2, where a refusal ends its stream, and not the
// connection. tests/e2e/http2-requests.test.ts has what HTTP/2 alone refuses.

describe.skipIf(!hasPython())('limits over HTTP/2', () => {
  let usual: RunningServer
  let strict: RunningServer
  beforeAll(async () => {
    const start = async (args: string[]) =>
      overHttp2(await startPlain({ args: [...args, '--h2c', '--log-level', 'debug'] }))
    ;[usual, strict] = await Promise.all([start(usualLimits), start(strictLimits)])
  })
  afterAll(() => Promise.all([usual?.stop(), strict?.stop()]))

  test.each(sizeLimits)('$name', async (limit) => {
    const server = limit.strict ? strict : usual
    const ask = async (request: string) => {
      const more = limit.countsHost ? 'Host: test\r\nY: a\r\n' : 'Host: test\r\n'
      return (await exchangeOnce(server, request.replace('Host: test\r\n', more))).status
    }
    expect(await ask(limit.allowed)).toBe(limit.answer)
    const from = server.log().length
    expect(await ask(limit.refused)).toBe(limit.refusal)
    await server.waitForLog(new RegExp(`with ${limit.refusal}: `), { from })
    expect(server.log().slice(from).trim().split('\n')).toHaveLength(1)
    expect(await ask(limit.allowed)).toBe(limit.answer)
  })
})
