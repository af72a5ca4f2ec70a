import { type ChildProcess, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { commandPath } from './build.ts'
import { type RunningServer, runCommand } from './server.ts'
import { waitFor } from './wait-for.ts'

/**
 * Begins a profile of ten minutes, interrupts its command with Ctrl-C, and expects that to be its
 * end.
 */
export async function interruptProfile(
  server: RunningServer,
  what: 'profile' | 'memory' = 'profile',
): Promise<void> {
  const profile = ['ctl', '--pid', String(server.pid), what, '--seconds']
  const short = () => runCommand([...profile, '0.1'], { timeout: 60_000 })
  let long: ChildProcess | undefined
  onTestFinished(() => void long?.kill('SIGKILL'))
  await profileUnderWay(
    () => {
      if (long === undefined || long.exitCode !== null)
        long = spawn(process.execPath, [commandPath, ...profile, '600'], { stdio: 'ignore' })
    },
    async () => (await short()).stderr,
  )
  long?.kill('SIGINT')
  await waitFor('another one to be possible', async () => (await short()).code === 0, 60_000)
}

/**
 * Waits until a profile that takes long is under way.
 *
 * @param begin begins it, unless it runs: one that begins during a short one ends at once
 * @param short takes a short one. Resolves with what there is to say
 */
export async function profileUnderWay(
  begin: () => void,
  short: () => Promise<string>,
): Promise<void> {
  await waitFor(
    'the long one to be under way',
    async () => {
      begin()
      return (await short()).includes('another profile of it is being taken')
    },
    60_000,
  )
}
