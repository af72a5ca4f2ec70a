import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  alive,
  directory,
  lines,
  makePool,
  over,
  prepareApplication,
  startPool,
} from '../../../tests/support/pool-bench.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { Connections } from './connections.ts'

prepareApplication()

const LOADING = `
import os, time
HERE = os.path.dirname(__file__)
with open(os.path.join(HERE, "loads"), "a") as file:
    file.write(f"{os.getpid()}\\n")
while os.path.exists(os.path.join(HERE, "hang")):
    time.sleep(0.01)

def application(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [str(os.getppid()).encode()]
`
const write = (name: string, text: string) => writeFileSync(join(directory, name), text)
const loads = () => (existsSync(join(directory, 'loads')) ? lines('loads').map(Number) : [])

describe('a pool with a preload parent', () => {
  it('has its workers forked, and leaves nothing behind', async () => {
    const { pool, submit, pids, logged } = await startPool({ preload: true, workers: 3 })
    const probes = Array.from({ length: 100 }, (_, i) => submit(`/${i}`))
    await over(probes)
    const answered = probes.filter(
      ({ outcome, number, text }) => outcome === 'ended' && text === number,
    )
    expect(answered.length).toBe(100)
    expect(pids).toContain(Number(probes[0]!.pid))
    const parent = Number(/Preload parent (\d+) has loaded/.exec(logged.join())![1])
    expect(alive(parent)).toBe(true)
    await pool.stop(5000)
    for (const pid of [...pids, parent]) expect(alive(pid)).toBe(false)
    expect(readdirSync(directory).filter((name) => /^(ledger|fork)-/.test(name))).toEqual([])
    expect(logged.filter((line) => /^[34]/.test(line))).toEqual([])
  })

  it('loads the application once for all workers and their replacements', async () => {
    write('tried.py', LOADING)
    const { submit, pids } = await startPool({ preload: true })
    process.kill(pids[0]!, 'SIGKILL')
    await waitFor('a replacement', async () => {
      const probes = [submit('/1'), submit('/2'), submit('/3')]
      await over(probes)
      return probes.some(({ pid }) => pid !== null && !pids.includes(Number(pid)))
    })
    expect(loads().length).toBe(1)
  })

  it('has another parent after a reload, and only then loses the old one', async () => {
    write('tried.py', LOADING)
    const { pool, submit, pids } = await startPool({ preload: true })
    await pool.reload()
    const [first, second] = loads()
    const probe = submit('/')
    await over([probe])
    expect(probe.text).toBe(String(second))
    await waitFor('the old ones to leave', () => ![first!, ...pids].some((pid) => alive(pid)))
  })

  it('ends a parent whose reload was abandoned', async () => {
    write('tried.py', LOADING)
    const { pool, submit } = await startPool({ preload: true })
    write('hang', '')
    const reloading = pool.reload()
    reloading.catch(() => {})
    await waitFor('it to load', () => loads().length === 2)
    pool.abandonReload()
    await expect(reloading).rejects.toThrow(/not needed/)
    await waitFor('its end', () => !alive(loads()[1]!))
    const probe = submit('/')
    await over([probe])
    expect(probe.text).toBe(String(loads()[0]))
  })

  it('says why the application could not be loaded', async () => {
    write('tried.py', 'raise RuntimeError("on purpose")\n')
    const { pool } = makePool({ preload: true })
    const started = pool.start()
    await expect(started).rejects.toBeInstanceOf(ApplicationLoadError)
    await expect(started).rejects.toThrow(/RuntimeError: on purpose/)
  })

  it('gives up a parent that takes longer than load_timeout, with its stack', async () => {
    write('tried.py', LOADING)
    write('hang', '')
    const { pool, logged } = makePool({ preload: true, loadTimeout: 2 })
    await expect(pool.start()).rejects.toThrow(/within 2 s \(load_timeout\)[\s\S]*tried\.py/)
    expect(logged.filter((line) => /is still loading/.test(line)).length).toBe(1)
    await waitFor('its end', () => !alive(loads()[0]!))
  })

  it('starts another parent for the next worker if the first one was killed', async () => {
    write('tried.py', LOADING)
    const { pool, submit, pids, logged } = await startPool({ preload: true })
    const [parent] = loads()
    process.kill(parent!, 'SIGKILL')
    await waitFor('its end', () => logged.some((line) => /Its workers go on/.test(line)))
    const probe = submit('/')
    await over([probe])
    expect(pids).toContain(Number(probe.pid))
    expect(loads().length).toBe(1)
    process.kill(pids[0]!, 'SIGKILL')
    await waitFor('another parent', () => loads().length === 2)
    await waitFor('two workers', () => pool.report().length === 2)
    expect(logged.join()).toMatch(/Worker \d+ ended; how is not known/)
  })
})

describe('a preload parent that does not fork', () => {
  it('is killed, and another one is started', async () => {
    write('tried.py', LOADING)
    const { pool, pids, logged } = await startPool({ preload: true, forkTimeout: 2000 })
    process.kill(loads()[0]!, 'SIGSTOP')
    process.kill(pids[0]!, 'SIGKILL')
    await waitFor('another parent', () => loads().length === 2)
    await waitFor('two workers', () => pool.report().length === 2)
    expect(logged.join()).toMatch(/Killing preload parent \d+: it has not forked a worker for 2 s/)
    await waitFor('its end', () => !alive(loads()[0]!))
  })
})

describe('connections to a socket that has one use', () => {
  it('are in the order in which they were made, and not read yet', async () => {
    const connections = new Connections(directory, 3)
    const path = await connections.listen()
    for (const name of ['a', 'b', 'c']) {
      const socket = connect(path)
      await new Promise<void>((resolve) => socket.once('connect', resolve))
      socket.write(name)
    }
    const all = await connections.all
    connections.end()
    const read = all.map(
      (socket) =>
        new Promise<string>((resolve) => {
          socket.once('data', (chunk) => resolve(chunk.toString()))
          socket.resume()
        }),
    )
    expect(await Promise.all(read)).toEqual(['a', 'b', 'c'])
    connections.destroy()
    expect(existsSync(path)).toBe(false)
  })

  it('are all made while this process does something else', async () => {
    const connections = new Connections(directory, 4)
    const path = await connections.listen()
    const connectFourTimes = `
      const { connect } = require('node:net')
      for (let i = 0; i < 4; i++) connect(process.argv[1]).on('connect', function () { this.unref() })
    `
    // Blocks this process, so that it accepts none before all are made.
    execFileSync(process.execPath, ['-e', connectFourTimes, path])
    expect(await connections.all).toHaveLength(4)
    connections.end()
    connections.destroy()
  })

  it('may be in a folder whose path is too long for a socket', async () => {
    const long = join(directory, 'long-'.repeat(30))
    mkdirSync(long)
    const connections = new Connections(long, 1)
    const path = await connections.listen()
    expect(path.length).toBeLessThan(104)
    connect(path)
    await connections.all
    connections.end()
    connections.destroy()
    expect(readdirSync(long)).toEqual([])
  })

  it('cannot be made in a folder that does not exist', async () => {
    const connections = new Connections(join(directory, 'gone'), 1)
    await expect(connections.listen()).rejects.toThrow(/gone/)
    connections.end()
  })
})
