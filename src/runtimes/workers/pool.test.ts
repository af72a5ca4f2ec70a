import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  APPLICATION,
  alive,
  directory,
  lines,
  makePool,
  over,
  Probe,
  prepareApplication,
  release,
  startPool,
} from '../../../tests/support/pool-bench.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { WorkerStartError } from './worker-start-error.ts'

prepareApplication()

describe('a pool of workers', () => {
  it('runs every task once and answers it once', async () => {
    const { submit, pool } = await startPool()
    const probes = Array.from({ length: 500 }, (_, i) => submit(`/${i}`))
    await over(probes)
    expect(
      probes.every(({ outcome, number, text }) => outcome === 'ended' && text === number),
    ).toBe(true)
    expect(lines('begun').sort()).toEqual(probes.map(({ number }) => number).sort())
    expect(pool.busy).toBe(false)
  })

  it('gives two tasks to two workers', async () => {
    const { submit } = await startPool()
    const probes = [submit('/1', 'sleep=0.2'), submit('/2', 'sleep=0.2')]
    await over(probes)
    expect(probes[0]!.pid).not.toBe(probes[1]!.pid)
  })

  it('reports its workers, what they do and how many requests they have', async () => {
    const { submit, pool, pids } = await startPool()
    const idle = pids.map((pid) => ({ pid, state: 'serving', requests: 0 }))
    expect(pool.report()).toEqual(idle)
    const slow = submit('/1', 'until=released')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    expect(pool.report().map(({ requests }) => requests)).toContain(1)
    release()
    await over([slow])
    expect(pool.report()).toEqual(idle)
  })

  it('lets nothing wait behind a task that takes long', async () => {
    const { submit } = await startPool()
    // So that the workers are known to be fast and something is queued on them.
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'until=released')
    const fast = Array.from({ length: 200 }, (_, i) => submit(`/${i}`))
    await over(fast)
    expect(slow.outcome).toBeNull()
    release()
    await over([slow])
    const onSlow = fast.filter(({ pid }) => pid === slow.pid).length
    expect(onSlow).toBe(0)
    expect(new Set(lines('begun')).size).toBe(lines('begun').length)
  })

  it('lets nothing wait behind a task that takes long, however large what is on its way', async () => {
    const { submit } = await startPool()
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'until=released')
    const large = Buffer.alloc(400_000, 'b')
    const fast = Array.from({ length: 30 }, (_, i) =>
      submit(`/${i}`, '', { kind: 'whole', chunks: [large], length: large.length }),
    )
    await over(fast)
    expect(slow.outcome).toBeNull()
    expect(fast.every(({ outcome }) => outcome === 'ended')).toBe(true)
    release()
    await over([slow])
  })

  it('answers 502 for what a killed worker had begun, and runs the rest elsewhere', async () => {
    const { submit, pids, logged } = await startPool({ workers: 1 })
    await over(Array.from({ length: 400 }, (_, i) => submit(`/warm/${i}`)))
    const slow = submit('/slow', 'sleep=30')
    const rest = Array.from({ length: 10 }, (_, i) => submit(`/${i}`))
    await waitFor('it to begin', () => lines('begun').includes('/slow'))
    process.kill(pids[0]!, 'SIGKILL')
    await over([slow, ...rest])
    expect(slow.outcome).toMatch(
      /^502: worker \d+ ended while it ran this request \(killed by SIGKILL\)$/,
    )
    expect(rest.every(({ outcome }) => outcome === 'ended')).toBe(true)
    expect(new Set(lines('begun')).size).toBe(lines('begun').length)
    expect(
      logged.some((line) =>
        /^40 Worker \d+ killed by SIGKILL \(perhaps out of memory\) \[MONO5001\]$/.test(line),
      ),
    ).toBe(true)
  })

  it('answers 504 for what runs out of time, shows where it was, and goes on with another worker', async () => {
    const bench = await startPool({ workers: 1, timeout: 1.5 })
    const hanging = bench.submit('/1', 'hang_in_a_named_place=')
    await over([hanging])
    expect(hanging.outcome).toMatch(/^504: /)
    await waitFor('the stack', () => bench.output.includes('in hang_in_a_named_place'))
    // On a busy machine the new worker takes longer to start than a task may wait for it.
    await waitFor('another worker to answer', async () => {
      const next = bench.submit('/2')
      await over([next])
      return next.outcome === 'ended'
    })
    expect(alive(bench.pids[0]!)).toBe(false)
  })

  it('with threads, lets the others finish before it ends a worker that is out of time', async () => {
    // The other one ends after that of the first, and a second before its own time is over.
    const bench = await startPool({ workers: 1, threads: 2, timeout: 3 })
    const hanging = bench.submit('/1', 'hang_in_a_named_place=')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const other = bench.submit('/2', 'sleep=2')
    await over([hanging])
    expect(hanging.outcome).toMatch(/^504/)
    await over([other])
    expect(other.outcome).toBe('ended')
    await waitFor('the worker to be gone', () => !alive(bench.pids[0]!))
  })

  it('blames a timeout on what has the thread, and not on a download that waits for its turn', async () => {
    const { submit, pids } = await startPool({ workers: 1, timeout: 2 })
    const download = submit('/download', 'large=2097152')
    await waitFor('its credit to be used up', () => download.bytes === 262_144)
    const hanging = submit('/hanging', 'hang_in_a_named_place=')
    await waitFor('it to begin', () => lines('begun').includes('/hanging'))
    download.handle!.grant(131_072)
    await over([download, hanging])
    expect(hanging.outcome).toMatch(/^504: /)
    expect(download.outcome).toMatch(/^502: worker \d+ ended/)
    await waitFor('the worker to be gone', () => !alive(pids[0]!))
  })

  it('tells of an application that raises, or leaves', async () => {
    const { submit } = await startPool()
    const raising = submit('/1', 'raise=')
    const leaving = submit('/2', 'exit=')
    await over([raising, leaving])
    expect(raising.outcome).toContain('RuntimeError: as asked')
    expect(leaving.outcome).toMatch(/^502: .*exited with status 7/)
  })

  it('answers 503 when too many wait, and for what has been given up before it began', async () => {
    const { pool, submit } = await startPool({ workers: 1, backlogLimit: 3 })
    const slow = submit('/slow', 'until=released')
    await waitFor('it to begin', () => lines('begun').includes('/slow'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const abandoned = new Probe('/abandoned', '', undefined, performance.now() + 50)
    pool.submit(abandoned)
    const waiting = [submit('/1'), submit('/2')]
    const refused = submit('/3')
    await over([refused])
    expect(refused.outcome).toMatch(/^503: .*backlog_limit 3/)
    waiting[0]!.handle!.cancel()
    expect(waiting[0]!.wasReleased).toBe(true)
    const taken = submit('/4') // what has been cancelled takes no place
    await waitFor('one to be given up', () => performance.now() > abandoned.abandonedAt)
    release()
    await over([slow, waiting[1]!, taken, abandoned])
    expect(abandoned.outcome).toMatch(/^503/)
    expect(lines('begun')).toEqual(['/slow', '/2', '/4'])
  })

  it('cancels a task in whatever state it is, and lets go of it', async () => {
    const { pool, submit } = await startPool({ workers: 1 })
    const putAside = submit('/aside', 'large=2000000')
    await waitFor('its credit to be used up', () => putAside.bytes === 262_144)
    const running = submit('/running', 'sleep=1')
    await waitFor('it to begin', () => lines('begun').includes('/running'))
    const queued = submit('/queued')
    for (const probe of [queued, running, putAside]) probe.handle!.cancel()
    expect(queued.wasReleased || !running.wasReleased).toBe(true)
    await waitFor('all to be let go', () =>
      [queued, running, putAside].every(({ wasReleased }) => wasReleased),
    )
    await waitFor('the end of the iterable', () => lines('closed').includes('/aside'))
    expect([queued, running, putAside].map(({ outcome }) => outcome)).toEqual([null, null, null])
    expect(lines('begun')).not.toContain('/queued')
    await waitFor('nothing to be left', () => !pool.busy)
    const after = submit('/after')
    await over([after])
    expect(after.outcome).toBe('ended')
  })

  it('keeps to the window, and does something else while a client is slow', async () => {
    const { submit } = await startPool({ workers: 1 })
    const size = 2_097_152
    const large = submit('/large', `large=${size}`)
    await waitFor('its credit to be used up', () => large.bytes === 262_144)
    const probes = Array.from({ length: 20 }, (_, i) => submit(`/${i}`))
    await over(probes)
    expect(large.bytes).toBe(262_144)
    while (large.outcome === null) {
      const before = large.bytes
      large.handle!.grant(131_072)
      await waitFor(
        'more',
        () => large.bytes === Math.min(size, before + 131_072) || large.outcome !== null,
      )
      if (large.bytes === size) await over([large])
    }
    expect(large.bytes).toBe(size)
    expect(large.outcome).toBe('ended')
    // Everything is counted back: as many at once as before, none of them waiting for what is not
    // there.
    const again = Array.from({ length: 50 }, (_, i) => submit(`/again/${i}`))
    await over(again)
    expect(again.every(({ outcome }) => outcome === 'ended')).toBe(true)
  })

  it('streams a request body as it is asked for', async () => {
    const { submit } = await startPool({ workers: 1 })
    const probe = submit('/', 'echo=', { kind: 'stream' })
    await waitFor('it to ask', () => probe.wanted > 0)
    probe.handle!.sendBody(Buffer.from('abc'), false)
    probe.handle!.sendBody(Buffer.from('def'), true)
    await over([probe])
    expect(probe.text).toBe('abcdef')
    const broken = submit('/', 'echo=', { kind: 'stream' })
    await waitFor('it to ask', () => broken.wanted > 0)
    broken.handle!.abortBody()
    await over([broken])
    expect(broken.outcome).toMatch(/^(failed|502)/)
  })

  it('replaces a worker after max_requests, the new one first', async () => {
    const { submit, pids } = await startPool({ workers: 1, maxRequests: 5 })
    for (let i = 0; i < 12; i++) {
      const probe = submit(`/${i}`)
      await over([probe])
      expect(probe.outcome).toBe('ended')
    }
    await waitFor('the first to be gone', () => !alive(pids[0]!))
    const last = submit('/last')
    await over([last])
    expect(last.outcome).toBe('ended')
  })

  it('keeps the old workers when a reload fails, and replaces them when it does not', async () => {
    const { pool, submit, pids } = await startPool()
    writeFileSync(join(directory, 'tried.py'), 'raise RuntimeError("broken meanwhile")\n')
    await expect(pool.reload()).rejects.toThrow(/broken meanwhile/)
    const probe = submit('/1')
    await over([probe])
    expect(pids).toContain(Number(probe.pid))
    writeFileSync(join(directory, 'tried.py'), APPLICATION)
    const running = submit('/running', 'sleep=0.5')
    await pool.reload()
    await over([running])
    expect(running.outcome).toBe('ended')
    await waitFor('the old ones to be gone', () => !pids.some(alive))
    const next = submit('/2')
    await over([next])
    expect(pids).not.toContain(Number(next.pid))
  })

  it('has as many workers as it is told to', async () => {
    const { pool, submit, pids } = await startPool()
    pool.scale(1)
    await waitFor('one to be gone', () => pids.filter(alive).length === 1)
    pool.scale(3)
    await waitFor('three to serve', async () => {
      const probes = Array.from({ length: 3 }, (_, i) => submit(`/${i}`, 'sleep=0.1'))
      await over(probes)
      return new Set(probes.map(({ pid }) => pid)).size === 3
    })
  })

  it('replaces one that was alone when others join it, so that wsgi.multiprocess is true', async () => {
    const { pool, submit, pids } = await startPool({ workers: 1, multiprocess: false })
    const ask = async (number: number) => {
      const probes = Array.from({ length: number }, (_, i) => submit(`/${i}`, 'multiprocess'))
      await over(probes)
      for (const probe of probes) expect(probe.outcome).toBe('ended')
      return new Set(probes.map(({ text }) => text))
    }
    expect(await ask(4)).toEqual(new Set(['False']))
    pool.scale(2)
    await waitFor('the one that was alone to be gone', () => !pids.some(alive))
    expect(await ask(20)).toEqual(new Set(['True']))
  })

  it('stops: what runs is finished, and no process is left', async () => {
    const { pool, submit, pids } = await startPool()
    const running = submit('/', 'sleep=0.4')
    await waitFor('it to begin', () => lines('begun').length === 1)
    await pool.stop(5000)
    expect(running.outcome).toBe('ended')
    expect(pids.some(alive)).toBe(false)
  })

  it('stops while it starts', async () => {
    const { pool } = makePool()
    const starting = pool.start()
    const started = expect(starting).rejects.toThrow(WorkerStartError)
    await pool.stop(5000)
    await started
    expect(pool.busy).toBe(false)
  })

  it('kills what does not stop in time', async () => {
    const { pool, submit, pids, logged } = await startPool({ workers: 1 })
    const running = submit('/', 'sleep=60')
    await waitFor('it to begin', () => lines('begun').length === 1)
    await pool.stop(200)
    expect(running.outcome).toMatch(/^502/)
    expect(pids.some(alive)).toBe(false)
    expect(
      logged.some((line) => line.includes('did not exit in time; killing it [MONO5002]')),
    ).toBe(true)
  })

  it('does not wait for processes that the application left behind', async () => {
    const { pool, submit, pids } = await startPool({ workers: 1 })
    await over([submit('/', 'fork=8')])
    const running = submit('/1', 'sleep=60')
    await waitFor('it to begin', () => lines('begun').includes('/1'))
    process.kill(pids[0]!, 'SIGKILL')
    const since = performance.now()
    await over([running])
    expect(performance.now() - since).toBeLessThan(6000)
    expect(running.outcome).toMatch(/^502/)
    await pool.stop(1000)
  })

  it('holds on to no descriptors over many workers', async () => {
    const { pool, submit } = await startPool({ workers: 1 })
    const count = () => readdirSync('/proc/self/fd').length
    await pool.reload()
    await waitFor('the old one to be gone', () => !pool.busy)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const before = count()
    for (let i = 0; i < 4; i++) await pool.reload()
    await over([submit('/')])
    await waitFor('the descriptors to be closed', () => count() <= before)
  })

  it('says why an application cannot be loaded', async () => {
    writeFileSync(join(directory, 'tried.py'), 'import nowhere_to_be_found\n')
    const { pool } = makePool()
    const failure = await pool.start().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApplicationLoadError)
    expect((failure as Error).message).toContain('nowhere_to_be_found')
  })
})
