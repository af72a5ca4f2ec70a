import { afterAll, beforeAll, describe, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { makeCertificate } from '../support/certificates.ts'
import { floods } from '../support/http2-attacks.ts'
import { survive } from '../support/http2-survival.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'

describe.skipIf(!hasPython())('a flood of HTTP/2 ends with its connection', () => {
  const folder = temporaryDirectory()
  const servers = new Map<string, RunningServer>()
  beforeAll(async () => {
    const { cert, key } = makeCertificate(folder.path, { name: 'localhost' })
    const common = ['--log-level', 'debug', '--graceful-timeout', '1', '--keep-alive', '60']
    servers.set('plain TCP', await startPlain({ args: [...common, '--h2c'] }))
    const secure = ['--certfile', cert, '--keyfile', key]
    servers.set('TLS', await startPlain({ args: [...common, ...secure] }))
  })
  afterAll(folder.remove)

  describe.each(['plain TCP', 'TLS'])('over %s', (over) => {
    test.each(floods)('$name', async (attack) => {
      await survive(servers.get(over)!, attack, { tls: over === 'TLS' })
    })
  })
})
