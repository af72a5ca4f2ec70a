import { beforeAll, describe, test } from 'vitest'
import { floods } from '../support/http2-attacks.ts'
import { survive } from '../support/http2-survival.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'

describe.skipIf(!hasPython())('a flood of HTTP/2 ends with its connection', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startPlain({ args: ['--h2c', '--log-level', 'debug'] })
  })

  test.each(floods)('$name', async (attack) => {
    await survive(server, attack)
  })
})
