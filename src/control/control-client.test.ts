import { chmodSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { EXIT } from '../process/exit-status.ts'
import { callServer } from './control-client.ts'

test('the socket of another user is refused', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  chmodSync(folder.path, 0o755)
  const path = join(folder.path, 'shop.ctl')
  const server = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => void server.close())
  chmodSync(path, 0)
  // Root may connect to everything.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  const call = { method: 'GET', name: 'status', withinMs: 5000 } as const
  const error = await callServer({ path, pid: null }, call).catch((error: unknown) => error)
  if (isRoot) process.seteuid?.(0)
  expect(error).toMatchObject({
    message: `Permission denied: ${path}. Only the user of the server may control it [MONO6004]`,
    status: EXIT.ctl.NO_SERVER,
  })
})
