import { describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { get, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { runCommand } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!hasPython())('--reuse-port', () => {
  test('two servers share a port, and one that does not want to share is refused', async () => {
    const first = await startPlain({ args: ['--reuse-port'] })
    const address = `127.0.0.1:${first.port}`
    const second = await startPlain({ args: ['--reuse-port', '--bind', address] })
    const workers = new Set([...first.workers(), ...second.workers()])
    const answered = new Set<number>()
    // The kernel chooses by the client's port, so both are met soon.
    await waitFor('an answer of each', async () => {
      const connection = await RawConnection.open(first)
      answered.add(Number((await connection.request(get('/pid'))).text))
      connection.close()
      return answered.size === 2
    })
    expect(answered).toEqual(workers)

    const refused = await runCommand(['--bind', address, 'plain:app'], { cwd: appsDirectory })
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`Address already in use: ${address}`)

    await first.stop()
    const connection = await RawConnection.open(second)
    expect(second.workers()).toContain(Number((await connection.request(get('/pid'))).text))
  })
})
