import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { runCtl } from './ctl-command.ts'
import { PROTOCOL } from './protocol.ts'

const RESULT = {
  protocol: PROTOCOL,
  monoceros: '0',
  pid: 1,
  application: 'shop:app',
  runtime: 'cpython',
  takenAt: 1_700_000_000_000,
  findings: {
    routes: ['GET /é'],
    functions: [['burn', '/srv/shop.py', 1]],
    stacks: [[0, 1000, 0, 1, 0, 2]],
    seconds: 1,
    samples: 1,
    cost: 0,
    processes: 1,
  },
  workers: [2],
  failed: [],
  raw: [],
}

/** What `ctl` ends with and says when the server answers with that profile. */
async function ctl(...args: string[]): Promise<{ status: number; said: Buffer }> {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'control.sock')
  const server = createServer((_request, response) => response.end(JSON.stringify(RESULT)))
  onTestFinished(() => void server.close())
  server.listen(path)
  await once(server, 'listening')
  const pieces: Buffer[] = []
  const output = { write: (piece: string | Uint8Array) => pieces.push(Buffer.from(piece)) }
  const context = { env: {}, cwd: folder.path, stdout: output, stderr: output }
  const status = await runCtl(['-s', path, ...args], context)
  return { status, said: Buffer.concat(pieces) }
}

test('a profile without a file goes to the standard output as it is', async () => {
  const { status, said } = await ctl('profile', '--format', 'pprof')
  expect(status).toBe(0)
  expect(gunzipSync(said).toString()).toContain('/srv/shop.py')
})

test('a file that cannot be written is one line', async () => {
  const { status, said } = await ctl('profile', '-o', 'none/profile.svg')
  expect(status).not.toBe(0)
  expect(String(said)).toMatch(
    /^monoceros ctl: Cannot write \S*none\/profile\.svg: ENOENT.* \[MONO6009\]\n$/,
  )
})
