import { expect } from 'vitest'
import type { RunningServer } from './running-server.ts'
import { waitFor } from './wait-for.ts'

/** A worker that gets no processor for a second is killed before it has shown its stack. */
const ATTEMPTS = 3

/**
 * Expects that a request runs out of time, and that its worker is ended with a stack in the log and
 * replaced.
 */
export async function expectAbort(
  server: RunningServer,
  target: string,
  stack: RegExp,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const from = server.log().length
    expect((await fetch(`${server.url}${target}`)).status).toBe(504)
    const [, signal] = await server.waitForLog(/Worker \d+ killed by (SIG\w+)/, { from })
    const log = server.log().slice(from)
    await waitFor('the next worker', async () => (await fetch(server.url)).status === 200)
    if (signal === 'SIGABRT' && stack.test(log)) return
    if (attempt < ATTEMPTS) continue
    expect(signal).toBe('SIGABRT')
    expect(log).toMatch(stack)
  }
}
