import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { waitFor } from '../../../../tests/support/wait-for.ts'
import { ClaimKeeper } from './claim-keeper.ts'
import { type FileIdentity, flockIdentity } from './file-identity.ts'
import { FileLocks } from './file-locks.ts'
import { createLockTable, END_OF_FILE, releaseOwner } from './lock-table.ts'

const folder = fs.mkdtempSync(join(tmpdir(), 'monoceros-locks-'))
afterAll(() => fs.rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const whole = { start: 0n, end: END_OF_FILE }
const bytes = (start: number, end: number) => ({ start: BigInt(start), end: BigInt(end) })
const modules = ['file-locks.js', 'lock-table.js'].map(
  (name) => new URL(`../../../../dist/runtimes/pyodide/locks/${name}`, import.meta.url).href,
)
let names = 0

interface TestFile {
  readonly path: string
  readonly link: string
  readonly id: FileIdentity
  readonly place: () => Buffer | null
}

function newFile(): TestFile {
  const path = join(folder, `file-${++names}`)
  fs.writeFileSync(path, '')
  const { dev, ino } = fs.statSync(path, { bigint: true })
  return {
    path,
    link: `${path}-monoceros`,
    id: { device: dev, inode: ino },
    place: () => Buffer.from(path),
  }
}

/**
 * A table of its own: it knows as little of others as that of another process does. Two
 * interpreters.
 */
function newProcess(notices: string[] = []) {
  const table = createLockTable()
  const keeper = new ClaimKeeper(table)
  const listener = { claimed: () => keeper.claimed(), notice: (text: string) => notices.push(text) }
  const [first, second] = [1, 2].map((owner) => new FileLocks(table, owner, listener)) as [
    FileLocks,
    FileLocks,
  ]
  return { table, first, second }
}

function isThere(link: string): boolean {
  return fs.lstatSync(link, { throwIfNoEntry: false }) !== undefined
}

/** Lets time pass for what is measured with the clock that all threads have. */
function advance(milliseconds: number): void {
  const { hrtime } = process
  const now = hrtime.bigint() + BigInt(milliseconds) * 1_000_000n
  vi.spyOn(process.hrtime, 'bigint').mockReturnValue(now)
}

/**
 * A thread that locks and unlocks a file of another table all the time, or until it has done so
 * often enough.
 */
function startLocking(
  file: TestFile,
  settings: { table?: SharedArrayBuffer; turns: number; shared?: boolean },
) {
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    const { modules } = workerData
    Promise.all(modules.map((name) => import(name))).then((imported) => {
      const { FileLocks, createLockTable, END_OF_FILE } = Object.assign({}, ...imported)
      const { table, id, path, turns, kind } = workerData
      const locks = new FileLocks(table ?? createLockTable(), 5)
      parentPort.postMessage('begun')
      for (let turn = 0; turn < turns; ) {
        if (locks.lock(id, { start: 0n, end: END_OF_FILE }, kind, false, () => Buffer.from(path)) !== null) continue
        locks.unlock(id, { start: 0n, end: END_OF_FILE })
        turn++
        // So that the link is made and removed all the time.
        locks.settle()
      }
    })`
  const kind = settings.shared ? 'shared' : 'exclusive'
  const { id, path } = file
  return new Worker(code, { eval: true, workerData: { modules, ...settings, id, path, kind } })
}

describe('locks between processes', () => {
  it('a lock of any kind keeps another process from the whole file', () => {
    const [one, two] = [newProcess(), newProcess()]
    const { id, place, link } = newFile()
    expect(one.first.lock(id, bytes(0, 1), 'shared', false, place)).toBeNull()
    expect(isThere(link)).toBe(true)
    expect(one.second.lock(id, bytes(0, 1), 'shared', false, place)).toBeNull()
    expect(two.first.lock(id, bytes(5, 6), 'shared', false, place)).toBe('EAGAIN')
    expect(two.first.lock(flockIdentity(id), whole, 'shared', false, place)).toBe('EAGAIN')
    expect(two.first.conflict(id, bytes(5, 6), 'shared', place)).toMatchObject({
      kind: 'exclusive',
      owner: 0,
      pid: process.pid,
    })
    one.first.unlock(id, whole)
    expect(two.first.lock(id, bytes(5, 6), 'shared', false, place)).toBe('EAGAIN')
    one.second.unlock(id, whole)
    one.second.settle()
    expect(two.first.lock(id, bytes(5, 6), 'exclusive', false, place)).toBeNull()
    expect(one.first.lock(id, bytes(0, 1), 'shared', false, place)).toBe('EAGAIN')
  })

  it('a claim that nobody uses is given back by the main thread', async () => {
    const { first } = newProcess()
    const { id, place, link } = newFile()
    first.lock(id, whole, 'exclusive', false, place)
    first.unlock(id, whole)
    expect(isThere(link)).toBe(true)
    await waitFor('the claim to be given back', () => !isThere(link))
    first.lock(id, whole, 'exclusive', false, place)
    expect(isThere(link)).toBe(true)
  })

  it('a process whose locks overlap for ever still lets another have its turn, and comes back', async () => {
    const [one] = [newProcess()]
    const file = newFile()
    const { id, place } = file
    expect(one.first.lock(id, whole, 'shared', false, place)).toBeNull()
    const thread = startLocking(file, { turns: 3 })
    const ended = once(thread, 'exit')
    let gone = false
    void ended.then(() => {
      gone = true
    })
    let held = [one.first]
    const end = Date.now() + 30_000
    while (!gone && Date.now() < end) {
      // The other one first, then this one lets go.
      const next = held.includes(one.first) ? one.second : one.first
      const got = next.lock(id, whole, 'shared', false, place) === null
      for (const locks of held) locks.unlock(id, whole)
      held = got ? [next] : []
      await new Promise(setImmediate)
    }
    expect(await ended).toEqual([0])
    await waitFor(
      'the file to be had again',
      () => one.first.lock(id, whole, 'shared', false, place) === null,
    )
  })

  it('waits for another process where it is told to, until a signal comes', () => {
    const one = newProcess()
    const { id, place } = newFile()
    one.first.lock(id, whole, 'shared', false, place)
    let asked = 0
    const two = new FileLocks(createLockTable(), 1, { interrupted: () => ++asked > 3 })
    expect(two.lock(id, whole, 'shared', true, place)).toBe('EINTR')
  })

  it('where there can be no claim the locks of the process hold', () => {
    const [one, two] = [newProcess(), newProcess()]
    const { id } = newFile()
    const missing = () => Buffer.from(join(folder, 'missing', 'file'))
    for (const place of [() => null, missing]) {
      expect(one.first.lock(id, whole, 'exclusive', false, place)).toBeNull()
      expect(one.second.lock(id, whole, 'exclusive', false, place)).toBe('EAGAIN')
      expect(two.first.lock(id, whole, 'exclusive', false, place)).toBeNull()
      one.first.unlock(id, whole)
      two.first.unlock(id, whole)
    }
  })

  it('a file that takes the place of a claimed one is claimed in its turn', () => {
    const [one, two] = [newProcess(), newProcess()]
    const before = newFile()
    expect(one.first.lock(before.id, whole, 'exclusive', false, before.place)).toBeNull()
    fs.renameSync(newFile().path, before.path)
    const { dev, ino } = fs.statSync(before.path, { bigint: true })
    const id = { device: dev, inode: ino }
    expect(one.second.lock(id, whole, 'exclusive', false, before.place)).toBeNull()
    expect(two.first.lock(id, whole, 'exclusive', false, before.place)).toBe('EAGAIN')
    one.first.unlock(before.id, whole)
    expect(two.first.lock(id, whole, 'exclusive', false, before.place)).toBe('EAGAIN')
  })

  it('a thread that is ended at whatever moment leaves nothing that keeps others out', async () => {
    const file = newFile()
    const one = newProcess()
    for (let turn = 0; turn < 12; turn++) {
      const thread = startLocking(file, { table: one.table, turns: Number.POSITIVE_INFINITY })
      await once(thread, 'message')
      await thread.terminate()
      releaseOwner(one.table, 5)
      one.first.settle()
      const two = newProcess()
      // The keeper of the first finds what was begun, which takes a tick, once it has something to
      // look after.
      one.first.lock(newFile().id, whole, 'shared', false, () => null)
      await waitFor('the file', () => {
        one.first.lock(file.id, whole, 'exclusive', false, file.place)
        one.first.unlock(file.id, whole)
        one.first.settle()
        return two.first.lock(file.id, whole, 'exclusive', false, file.place) === null
      })
      two.first.unlock(file.id, whole)
      two.first.settle()
    }
    expect(fs.readdirSync(folder).filter((name) => name.startsWith(`file-${names}-`))).toEqual([])
  })

  it('what was lost while the process slept is not to be written any more', () => {
    const one = newProcess()
    const { id, place, path, link } = newFile()
    one.first.lock(id, whole, 'exclusive', false, place)
    expect(one.first.isLost(path)).toBe(false)
    advance(20_000)
    // Still ours: it is touched, and so on.
    expect(one.first.isLost(path)).toBe(false)
    fs.unlinkSync(link)
    fs.symlinkSync('1@000000000000.other.1.1.1.1', link)
    expect(one.first.isLost(path)).toBe(false)
    vi.restoreAllMocks()
    advance(40_000)
    expect(one.first.isLost(`${path}-journal`)).toBe(true)
    expect(one.first.isLost(join(folder, 'something else'))).toBe(false)
    expect(one.second.isLost(path)).toBe(false)
    one.first.unlock(id, whole)
    expect(one.first.isLost(path)).toBe(false)
  })

  it('says who has a file that cannot be had for long', () => {
    const notices: string[] = []
    const [one, two] = [newProcess(), newProcess(notices)]
    const { id, place, path } = newFile()
    one.first.lock(id, whole, 'exclusive', false, place)
    const clock = vi.spyOn(performance, 'now')
    let now = 0
    // It waits in steps; the clock goes faster.
    clock.mockImplementation(() => (now += 5))
    for (let turn = 0; turn < 100; turn++) two.first.lock(id, whole, 'exclusive', false, place)
    expect(notices).toEqual([
      `${path} is locked by another Monoceros process, ${process.pid} (see ${path}-monoceros)`,
    ])
  })
})
