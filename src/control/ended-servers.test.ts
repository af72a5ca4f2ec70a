import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { runCtl } from './ctl-command.ts'
import { PROTOCOL } from './protocol.ts'

/** A process whose parent never asks how it has ended, as in a container without an init. */
async function unwatched() {
  const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; exec sleep 1000'])
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  const kill = () => process.kill(pid, 'SIGKILL')
  onTestFinished(() => {
    kill()
  })
  return { pid, kill }
}

async function ctl(folder: string, ...args: string[]) {
  let text = ''
  const output = { write: (piece: string) => (text += piece) }
  const env = { MONOCEROS_RUNTIME_DIR: folder }
  const status = await runCtl(args, { env, cwd: folder, stdout: output, stderr: output })
  return { status, text }
}

test('a server that has ended has ended, even if its parent never asks', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  chmodSync(folder.path, 0o700)
  const { pid, kill } = await unwatched()
  const server = createServer((_request, response) => {
    response.end(JSON.stringify({ protocol: PROTOCOL, monoceros: '0', pid, stopping: 'graceful' }))
    kill()
  })
  onTestFinished(() => void server.close())
  server.listen(join(folder.path, `${pid}.sock`))
  await once(server, 'listening')
  expect(await ctl(folder.path, 'stop')).toEqual({ status: 0, text: 'Stopping\n' })
  expect(await ctl(folder.path, 'status', '--pid', String(pid))).toEqual({
    status: 3,
    text: `monoceros ctl: Process ${pid} does not run [MONO6008]\n`,
  })
})
