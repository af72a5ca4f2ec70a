import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { MemoryCgroup } from '../support/memory-cgroup.ts'
import { scrape } from '../support/metrics.ts'
import { descendantsOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// A worker that the kernel kills because the server has reached the memory limit of its container.

const SHOP = `
import os

def app(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        kept = []
        while True:
            kept.append(os.urandom(1_000_000))
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`

test.runIf(hasPython())(
  'a worker that is killed for the memory of the container says so everywhere',
  async ({ skip }) => {
    const group = MemoryCgroup.make(400_000_000)
    if (typeof group === 'string') return skip(`control groups cannot be made here: ${group}`)
    onTestFinished(() => group.remove())
    const folder = temporaryDirectory()
    onTestFinished(folder.remove)
    writeFileSync(join(folder.path, 'shop.py'), SHOP)
    const metrics = `unix:${join(folder.path, 'metrics')}`
    const args = ['--metrics-bind', metrics, '--workers', '1', '--timeout', '600']
    const server = await startServer({ app: 'shop:app', args, cwd: folder.path, secure: false })
    const worker = server.workers()[0]!
    for (const pid of [server.pid, ...descendantsOf(server.pid)]) group.add(pid)
    const answer = await fetch(`${server.url}/grow`)
    expect(answer.status).toBe(502)
    await server.waitForLog(
      new RegExp(`Worker ${worker} killed by SIGKILL \\(perhaps out of memory\\) \\[MONO5001\\]`),
    )
    // Only the worker: another one serves, behind the same acceptor.
    const next = await waitFor('another worker', () => server.workers()[0])
    expect(await (await fetch(server.url)).text()).toBe(String(next))
    const ctl = ['ctl', '--pid', String(server.pid)]
    const { stdout } = await runCommand([...ctl, 'status', '--json'], { cwd: folder.path })
    // The dashboard shows these.
    const { restarts, restartCounts } = JSON.parse(stdout)
    expect(restarts).toMatchObject([
      {
        kind: 'worker',
        pid: worker,
        cause: 'crashed',
        reason: 'killed by SIGKILL (perhaps out of memory)',
      },
    ])
    expect(restartCounts).toEqual({ crashed: 1 })
    const counted = await scrape(metrics)
    expect(counted.sum('monoceros_worker_ends_total', { cause: 'crashed' })).toBe(1)
    expect((await server.stop()).code).toBe(0)
  },
)
