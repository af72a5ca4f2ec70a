import { type ChildProcess, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { commandPath } from './build.ts'
import { type RunningServer, runCommand } from './server.ts'
import { waitFor } from './wait-for.ts'

/** Begins a profile of ten minutes, interrupts its command, and expects that to be its end. */
export async function interruptProfile(server: RunningServer): Promise<void> {
  const profile = ['ctl', '--pid', String(server.pid), 'profile', '--seconds']
  const short = () => runCommand([...profile, '0.1'], { timeout: 60_000 })
  let long: ChildProcess | undefined
  onTestFinished(() => void long?.kill('SIGKILL'))
  await waitFor(
    'the long one to be under way',
    async () => {
      // It ends at once if the short one is not over yet.
      if (long === undefined || long.exitCode !== null)
        long = spawn(process.execPath, [commandPath, ...profile, '600'], { stdio: 'ignore' })
      return (await short()).stderr.includes('another profile of it is being taken')
    },
    60_000,
  )
  long?.kill('SIGINT')
  await waitFor('another one to be possible', async () => (await short()).code === 0, 60_000)
}
