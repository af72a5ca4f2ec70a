import { beforeAll, describe, test } from 'vitest'
import { floods } from '../support/http2-attacks.ts'
import { survive } from '../support/http2-survival.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'

// One attack for each way in which a session is ended. tests/release/http2-attacks.test.ts has all
// of them, and runs them over TLS too.

const SHOWN = [
  'rapid reset (CVE-2023-44487)',
  'bodies that are not as long as declared (CVE-2025-8671)',
  'CONTINUATION (CVE-2024-27316)',
  'PING (CVE-2019-9512)',
  'WINDOW_UPDATE',
  'an HPACK bomb of references',
]

describe.skipIf(!hasPython())('a flood of HTTP/2 ends with its connection', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startPlain({ args: ['--h2c', '--log-level', 'debug', '--keep-alive', '60'] })
  })

  test.each(floods.filter(({ name }) => SHOWN.includes(name)))('$name', async (attack) => {
    await survive(server, attack)
  })
})
