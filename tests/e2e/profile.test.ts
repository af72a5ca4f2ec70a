import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { interruptProfile } from '../support/interrupted-profile.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'

// What the application of a running server does with its time and memory: monoceros ctl profile
// and memory, and slow_request.

let folder: { path: string; remove: () => void }

beforeEach(() => {
  folder = temporaryDirectory()
  // When the servers of the test have stopped; the hooks after a test run before that.
  onTestFinished(folder.remove)
})

const SHOP = `
import os, threading, time
from flask import Flask

app = Flask(__name__)
stock = threading.Lock()
kept = []

def price_of_everything():
    total = 0
    while not os.path.exists("enough"):
        for number in range(1000):
            total += number * number
    return total

def reserve_from_stock():
    with stock:
        return "reserved"

@app.get("/burn")
def burn():
    return str(price_of_everything())

@app.get("/hold")
def hold():
    with stock:
        while not os.path.exists("enough"):
            time.sleep(0.01)
    return "held"

@app.get("/reserve")
def reserve():
    return reserve_from_stock()

@app.get("/keep")
def keep():
    kept.append([bytearray(1000) for _ in range(1000)])
    return "kept"
`

const TYPESCRIPT = `
const kept: unknown[] = []
function priceOfEverything(ms: number): number {
  let total = 0
  for (const until = Date.now() + ms; Date.now() < until; ) total += Math.sqrt(total + 1)
  return total
}
export default (environ: any, startResponse: any) => {
  kept.push(new Array(100).fill(0).map(() => ({ kept: true })))
  priceOfEverything(20)
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('done')]
}
`

const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text)
const read = (name: string) => readFileSync(join(folder.path, name))

/** `monoceros ctl` about that server, in the folder. */
async function ctl(server: RunningServer, ...args: string[]) {
  return await runCommand(['ctl', '--pid', String(server.pid), ...args], { cwd: folder.path })
}

/** Sends requests one after another until `until` is settled. */
async function load(server: RunningServer, path: string, until: Promise<unknown>): Promise<void> {
  let over = false
  const end = () => {
    over = true
  }
  until.then(end, end)
  while (!over) await (await fetch(`${server.url}${path}`)).text()
}

describe.skipIf(!hasPython())('profiles of a Flask application', () => {
  test('name the function that computes and the one that waits, by route', async () => {
    write('shop.py', SHOP)
    const server = await startServer({
      app: 'shop:app',
      args: [
        ...['--threads', '4', '--workers', '1', '--slow-request', '0.3'],
        // The requests go on until the profiles are taken, which takes a slow machine long.
        ...['--timeout', '300'],
      ],
      cwd: folder.path,
    })
    const requests = ['/burn', '/hold', '/reserve'].map((path) => fetch(server.url + path))
    for (const request of requests) request.catch(() => {})
    await Promise.all(
      ['price_of_everything', 'reserve_from_stock'].map((name) =>
        server.waitForLog(new RegExp(`has run for [\\d.]+ s \\(slow_request\\)[^]*in ${name}`)),
      ),
    )
    const profile = await ctl(server, 'profile', '--seconds', '1', '-o', 'flame.svg')
    expect(profile.stderr).toBe('')
    expect(profile.stdout).toMatch(/^Wrote flame.svg: \d+ samples of 1 workers\n$/)
    const svg = read('flame.svg').toString()
    for (const name of ['GET /burn', 'GET /reserve', 'price_of_everything (shop.py)', '(waiting)'])
      expect(svg).toContain(name)
    const shown = await ctl(server, 'profile', '--seconds', '0.5', '--format', 'json')
    const { routes, functions, stacks } = JSON.parse(shown.stdout).findings
    const times = (route: string, name: string) => {
      const rows = (stacks as number[][]).filter(
        (row) =>
          routes[row[0]] === route &&
          row.some((number, at) => at >= 4 && at % 2 === 0 && functions[number][0] === name),
      )
      return [1, 2].map((at) => rows.reduce((sum, row) => sum + row[at], 0))
    }
    const [burning] = times('GET /burn', 'price_of_everything')
    const [reserving, waiting] = times('GET /reserve', 'reserve_from_stock')
    expect(burning).toBeGreaterThan(0)
    expect(waiting).toBeGreaterThan(10 * reserving)
    expect(JSON.stringify(functions)).not.toContain('/python/monoceros/')
    await interruptProfile(server)
    write('enough', '')
    await Promise.all(requests.map(async (request) => (await request).text()))
    // A request that has run for long is logged once, and goes on.
    expect(server.log().match(/GET \/reserve: has run/g)).toHaveLength(1)
    await interruptProfile(server, 'memory')
    const memory = ctl(server, 'memory', '--seconds', '1', '--json')
    await load(server, '/keep', memory)
    const { workers } = JSON.parse((await memory).stdout)
    expect(workers[0].memory.lines[0].file).toBe(join(folder.path, 'shop.py'))
    const wrong = await ctl(server, 'profile', '--worker', '1')
    expect([wrong.code, wrong.stderr]).toEqual([
      5,
      'monoceros ctl: No worker that serves is process 1 [MONO6010]\n',
    ])
  })
})

test('profiles of a TypeScript application: the same commands', async () => {
  write('shop.ts', TYPESCRIPT)
  const server = await startServer({
    app: './shop.ts',
    args: ['--workers', '1'],
    cwd: folder.path,
  })
  const profile = ctl(server, 'profile', '--seconds', '1', '--output', 'shop.cpuprofile')
  await load(server, '/', profile)
  expect((await profile).stderr).toBe('')
  expect(JSON.parse(read('shop.cpuprofile').toString()).nodes.length).toBeGreaterThan(1)
  const second = ctl(server, 'profile', '--seconds', '0.5', '-o', 'shop.pb.gz')
  await load(server, '/', second)
  expect((await second).stderr).toBe('')
  expect(gunzipSync(read('shop.pb.gz')).toString('latin1')).toContain('shop.ts')
  await interruptProfile(server)
  await interruptProfile(server, 'memory')
  const heap = await ctl(server, 'memory', '--output', 'shop.heapsnapshot')
  expect(heap.stderr).toBe('')
  expect(JSON.parse(read('shop.heapsnapshot').toString()).snapshot.meta).toBeDefined()
})
