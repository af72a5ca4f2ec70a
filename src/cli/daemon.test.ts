import { expect, test } from 'vitest'
import { EXIT } from '../process/exit-status.ts'
import { startDaemon } from './daemon.ts'

/** Starts a daemon of this program; what the command prints, and its status. */
async function started(program: string, ...args: string[]) {
  let printed = ''
  const stderr = { write: (text: string) => (printed += text) }
  const status = await startDaemon({ program, args, cwd: '/', env: {} }, stderr, false)
  return { printed, status }
}

test('a daemon whose program is gone cannot be started', async () => {
  expect(await started('/nowhere/node')).toEqual({
    printed: 'monoceros: Cannot start the daemon: spawn /nowhere/node ENOENT [MONO1011]\n',
    status: EXIT.server.FAILED,
  })
})

test('a daemon that is killed before it serves has failed', async () => {
  const kill = 'process.kill(process.pid, "SIGKILL")'
  expect(await started(process.execPath, '-e', kill)).toEqual({
    printed: 'monoceros: The daemon was killed by SIGKILL [MONO1011]\n',
    status: EXIT.server.FAILED,
  })
})
