import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { shownBy } from '../support/control.ts'
import { isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// What monoceros ctl shows of the Python workers that an application in TypeScript has.

const SITE = `
import { dispatcher, pythonApp } from '${pathToFileURL(join(repository, 'dist', 'index.js'))}'
const site = (environ, startResponse) => {
  startResponse('200 OK', [])
  return [Buffer.from('site')]
}
export default dispatcher(site, { '/shop': pythonApp('shop:app', { workers: 2 }) })
`

const SHOP = `import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/wait":
        while not os.path.exists("go"):
            time.sleep(0.01)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`

interface Worker {
  readonly pid: number
  readonly application?: string
  readonly taken: number
  readonly requests: number
  readonly running: readonly { readonly request: string }[]
  readonly usage: { readonly memory: number } | null
}

async function serve() {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  writeFileSync(join(folder.path, 'site.mjs'), SITE)
  writeFileSync(join(folder.path, 'shop.py'), SHOP)
  const server = await startServer({ app: './site.mjs', cwd: folder.path, secure: false })
  const ctl = (...args: string[]) =>
    runCommand(['ctl', '--pid', String(server.pid), ...args], { cwd: folder.path })
  const workers = async (): Promise<Worker[]> =>
    JSON.parse((await ctl('status', '--json')).stdout).acceptors.flatMap(
      ({ answer }: { answer: { workers: Worker[] } | null }) => answer?.workers ?? [],
    )
  return { folder: folder.path, server, ctl, workers }
}

async function text(server: RunningServer, path: string): Promise<string> {
  return await (await fetch(server.url + path)).text()
}

describe.runIf(hasPython())('the workers of a pythonApp', () => {
  test('are listed with their application, and do not count as those of the server', async () => {
    const { folder, server, ctl, workers } = await serve()
    expect(await text(server, '/')).toBe('site')
    // None is started before the first request.
    await waitFor('one worker', async () => (await workers()).length === 1)
    expect((await ctl('workers')).stdout).not.toContain('APPLICATION')
    const waiting = text(server, '/shop/wait?token=1')
    const [own, ...python] = await waitFor('the request in a worker', async () => {
      const all = await workers()
      return all.some(({ running, application }) => application && running.length > 0) && all
    })
    expect(own).toMatchObject({ taken: 2, requests: 1 })
    expect(own).not.toHaveProperty('application')
    expect(python.map(({ application }) => application)).toEqual(['shop:app', 'shop:app'])
    expect(python.every(({ usage }) => usage!.memory > 1_000_000)).toBe(true)
    const busy = python.find(({ requests }) => requests > 0)!
    expect(busy.running[0]!.request).toBe('GET /shop/wait')
    const serving = /^Workers +1 of 1 serve, 1 busy, and 2 of shop:app$/m
    const status = await shownBy(ctl, serving, 'status')
    expect(status).toMatch(
      new RegExp(`^  worker of shop:app +${busy.pid} .* GET /shop/wait for `, 'm'),
    )
    const rows = await shownBy(ctl, /^ *PID +ACCEPTOR +APPLICATION +STATE /, 'workers')
    expect(rows).toMatch(new RegExp(`^ *${busy.pid} +${own!.pid} +shop:app +serving `, 'm'))
    await shownBy(ctl, / 1 of 1 /, 'queue')
    writeFileSync(join(folder, 'go'), '')
    expect(await waiting).toBe(String(busy.pid))
  })

  test('are replaced and profiled by their numbers', async () => {
    const { server, ctl, workers } = await serve()
    const old = Number(await text(server, '/shop/'))
    const { code } = await ctl('restart', String(old))
    expect(code).toBe(0)
    await waitUntilGone(old)
    const [own, ...python] = await waitFor('two workers', async () => {
      const all = await workers()
      return all.length === 3 && all.every(({ pid }) => pid > 0 && isAlive(pid)) && all
    })
    expect(python.map(({ pid }) => pid)).not.toContain(old)
    await server.waitForLog(new RegExp(`replaces worker ${old}, which was restarted by monoceros`))
    const profile = async (...args: string[]) =>
      JSON.parse((await ctl('profile', '--seconds', '0.2', '--json', ...args)).stdout)
    const all = await profile()
    expect(all.workers.toSorted()).toEqual([own, ...python].map(({ pid }) => pid!).toSorted())
    expect(all.failed).toEqual([])
    const { pid } = python[0]!
    expect((await profile('--worker', String(pid))).workers).toEqual([pid])
    const memory = await ctl('memory', '--seconds', '0.2', '--worker', String(pid))
    expect(memory.stdout).toMatch(new RegExp(`^Worker ${pid}: `))
  })
})
