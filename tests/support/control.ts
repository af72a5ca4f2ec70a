import type { runCommand } from './server.ts'
import { waitFor } from './wait-for.ts'

/**
 * Asks `monoceros ctl` until it prints what is wanted, and returns all that it printed. An acceptor
 * that does not answer within a second is left out of what it shows.
 */
export function shownBy(
  ctl: (...args: string[]) => ReturnType<typeof runCommand>,
  wanted: RegExp,
  ...args: string[]
): Promise<string> {
  return waitFor(`${wanted}`, async () => {
    const { code, stdout } = await ctl(...args)
    return code === 0 && wanted.test(stdout) && stdout
  })
}
