import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { get } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, descendantsOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { startStream } from '../support/steady-stream.ts'
import { waitFor } from '../support/wait-for.ts'

// --preload for long, and its memory beside Gunicorn's; tests/e2e/preload.test.ts has the rest.

vi.setConfig({ testTimeout: 300_000 })

let folder: { path: string; remove: () => void }

beforeEach(() => {
  folder = temporaryDirectory()
  // When the servers of the test have stopped; the hooks after a test run before that.
  onTestFinished(folder.remove)
})

function write(name: string, text: string): void {
  writeFileSync(join(folder.path, name), text)
}

const APPLICATION = (data: string) => `
import os
DATA = ${data}
def app(environ, start_response):
    body = b"%d" % os.getppid()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

test.runIf(hasPython())('under load, nothing that happens to workers fails a request', async () => {
  write('app.py', APPLICATION('None'))
  const server = await startServer({
    app: 'app:app',
    args: [
      ...['--preload', '-w', '3', '--threads', '2', '--max-requests', '300'],
      ...['--max-requests-jitter', '100', '--max-worker-lifetime', '4'],
    ],
    cwd: folder.path,
  })
  const stream = await startStream(server, { clients: 6, pause: 5, request: () => get('/') })
  // A worker whose parent was killed has another one, which is none of ours.
  const parent = (but: number) =>
    waitFor('a worker of the last preload parent', async () => {
      const loaded = server.log().matchAll(/Preload parent (\d+) has loaded/g)
      const last = Number([...loaded].at(-1)?.[1])
      const pid = Number((await exchangeOnce(server, get('/'))).text)
      return pid === last && pid !== but && commandLineOf(pid).includes('--preload') ? pid : 0
    })
  for (let i = 0; i < 10; i++) {
    const from = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/\] Reloaded/, { from, timeout: 60_000 })
    if (i === 3) server.signal('SIGTTIN')
    if (i === 6) server.signal('SIGTTOU')
  }
  let killed = 0
  for (let i = 0; i < 2; i++) {
    // Its workers are replaced for their age, by those of another parent.
    killed = await parent(killed)
    process.kill(killed, 'SIGKILL')
    await server.waitForLog(new RegExp(`Preload parent ${killed} killed by SIGKILL`))
  }
  await parent(killed)
  // Whichever comes first on this machine.
  const recycled = /which has (?:answered max_requests|served for)/
  await server.waitForLog(recycled, { timeout: 60_000 })
  const { faults, sent } = await stream.stop()
  expect(faults).toEqual([])
  expect(sent.filter(({ answer }) => answer.status !== 200)).toEqual([])
})

/** What all processes of a server have, what they share counted once (PSS), in megabytes. */
function memory(server: RunningServer, counts = (_: string) => true): number {
  const all = [server.pid, ...descendantsOf(server.pid)].filter((pid) => counts(commandLineOf(pid)))
  const sizes = all.map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024
  })
  return sizes.reduce((sum, size) => sum + size, 0) / 1e6
}

test.runIf(hasPython())('workers share what was loaded, as in Gunicorn', async () => {
  write('app.py', APPLICATION('{number: str(number) * 2 for number in range(800_000)}'))
  const run = async (start: typeof startServer, args: string[]) => {
    const server = await start({ app: 'app:app', args: ['-w', '4', ...args], cwd: folder.path })
    for (let i = 0; i < 40; i++)
      await waitFor('an answer', () => exchangeOnce(server, get('/')).catch(() => null))
    return server
  }
  const ours = await run(startServer, ['--preload'])
  const theirs = await run(startGunicorn, ['--preload'])
  await waitFor('all of theirs', () => childrenOf(theirs.pid).length >= 4)
  const figures = {
    python: memory(ours, (line) => line.includes('monoceros-worker')),
    all: memory(ours),
    gunicorn: memory(theirs),
  }
  console.log('MB:', figures)
  // Python's part is not larger than theirs; Node's processes come on top of it.
  expect(figures.python).toBeLessThan(figures.gunicorn * 1.05)
  expect(figures.all - figures.python).toBeLessThan(90)
})
