import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get } from '../support/plain-application.ts'
import { waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { startStream } from '../support/steady-stream.ts'

// Workers are replaced by fresh ones (max_worker_memory, max_worker_lifetime): under load the
// clients see nothing of it. tests/e2e/what-happens-when.test.ts has max_requests.

let folder: { path: string; remove: () => void }

beforeEach(() => {
  folder = temporaryDirectory()
  // When the servers of the test have stopped; the hooks after a test run before that.
  onTestFinished(folder.remove)
})

function write(name: string, text: string): void {
  writeFileSync(join(folder.path, name), text)
}

async function underLoad(server: RunningServer, work: () => Promise<void>): Promise<void> {
  const stream = await startStream(server, { clients: 4, pause: 5, request: () => get('/') })
  await work()
  const { faults, sent } = await stream.stop()
  expect(faults).toEqual([])
  expect(sent.filter(({ answer }) => answer.status !== 200)).toEqual([])
}

const LEAK = `
import os
kept = []
def app(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        kept.append(b"x" * 60_000_000)
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

test.runIf(hasPython())('a worker is replaced for its memory', async () => {
  write('leak.py', LEAK)
  const server = await startServer({
    app: 'leak:app',
    args: ['--preload', '-w', '2', '--max-worker-memory', '40M'],
    cwd: folder.path,
  })
  await underLoad(server, async () => {
    const leaky = (await exchangeOnce(server, get('/leak'))).text
    const why = 'which uses \\d+ MiB beside what it shares \\(max_worker_memory 40M\\)'
    await server.waitForLog(new RegExp(`replaces worker ${leaky}, ${why}`), { timeout: 60_000 })
    await waitUntilGone(Number(leaky))
  })
})

test.runIf(hasPython())('a worker is replaced for its age', async () => {
  write('leak.py', LEAK)
  const server = await startServer({
    app: 'leak:app',
    args: ['-w', '2', '--max-worker-lifetime', '2'],
    cwd: folder.path,
  })
  await underLoad(server, async () => {
    const old = /replaces worker (\d+), which has served for \d+ s \(max_worker_lifetime\)/
    const [, aged] = await server.waitForLog(old, { timeout: 60_000 })
    await waitUntilGone(Number(aged))
  })
})

test('the processes of a TypeScript application are replaced one after the other', async () => {
  write(
    'app.mjs',
    `export function app(environ, startResponse) {
  startResponse('200 OK', [])
  return [Buffer.from(String(process.pid))]
}
`,
  )
  const server = await startServer({
    app: './app.mjs:app',
    args: ['-w', '2', '--max-worker-lifetime', '2'],
    cwd: folder.path,
  })
  await underLoad(server, async () => {
    await server.waitForLog(/This process has served for \d+ s \(max_worker_lifetime\)/)
    // Each asks, is replaced, and only then the next one.
    const one = 'asked to be replaced[^\\n]*\\n(?:.*\\n)*?.*Acceptor \\d+ [^\\n]*\\n'
    await server.waitForLog(new RegExp(`${one}(?:.*\\n)*?.*${one}`), { timeout: 60_000 })
  })
})
