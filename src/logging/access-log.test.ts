import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { stalledPipe } from '../../tests/support/stalled-pipe.ts'
import type { AccessRecord } from '../observe/access-record.ts'
import { AccessLog } from './access-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'monoceros-access-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const newFile = () => join(folder, `${++count}.log`)

function record(target: string): AccessRecord {
  return {
    remoteAddress: '127.0.0.1',
    method: 'GET',
    target,
    protocol: 'HTTP/1.1',
    requestLine: `GET ${target} HTTP/1.1`,
    status: 200,
    bytes: 5,
    startedAt: Date.now(),
    seconds: 0.00001,
    header: () => undefined,
  }
}

const text = (file: string) => readFileSync(file, 'utf8')

test('lines appear soon, without anybody asking', async () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(r)s %(s)s' })
  log.record(record('/1'))
  log.record(record('/2'))
  expect(text(file)).toBe('')
  await vi.waitFor(
    () => expect(text(file)).toBe('GET /1 HTTP/1.1 200\nGET /2 HTTP/1.1 200\n'),
    25_000,
  )
  await log.close()
})

test('closing writes what is waiting, in order, and later records are ignored', async () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(U)s' })
  const expected = Array.from({ length: 50_000 }, (_, index) => `/${index}`)
  for (const target of expected) log.record(record(target))
  await log.close()
  await log.close()
  log.record(record('/late'))
  expect(text(file)).toBe(`${expected.join('\n')}\n`)
})

test('flush writes before it returns', () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(U)s' })
  log.record(record('/1'))
  log.flush()
  expect(text(file)).toBe('/1\n')
  return log.close()
})

test('lines that are waiting when the process exits are written', async () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(U)s' })
  log.record(record('/1'))
  const listeners = process.listeners('exit')
  ;(listeners.at(-1) as () => void)()
  expect(text(file)).toBe('/1\n')
  await log.close()
  expect(process.listeners('exit')).toHaveLength(listeners.length - 1)
})

test.runIf(process.platform === 'linux')('many lines cost few system calls', async () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(U)s' })
  const before = systemCalls()
  for (let i = 0; i < 20_000; i++) log.record(record('/x'))
  await log.close()
  expect(text(file)).toHaveLength(60_000)
  expect(systemCalls() - before).toBeLessThan(1000)
})

/** How many write calls this process has made. */
function systemCalls(): number {
  return Number(/^syscw: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))![1])
}

test.runIf(process.platform === 'linux')(
  'a pipe whose reader is slow gets every line, without further ones to push it',
  async () => {
    const pipe = newFile()
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
    const script = `
    const { openSync, readSync } = require('node:fs')
    const fd = openSync(process.argv[1], 'r')
    process.on('message', () => {
      const buffer = Buffer.alloc(65536)
      let size = 0
      while (size < 300003) size += readSync(fd, buffer)
      process.send(String(size))
      process.disconnect()
    })`
    const child = spawn(process.execPath, ['-e', script, pipe], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    // Opening a pipe waits for its other end.
    const log = new AccessLog({ file: pipe, format: '%(U)s' })
    for (let i = 0; i < 100_000; i++) log.record(record('/a'))
    log.record(record('/b'))
    await new Promise((resolve) => setTimeout(resolve, 150))
    child.send('read')
    const [size] = await once(child, 'message')
    expect(size).toBe('300003')
    await log.close()
  },
)

test('after reopening, lines go to a new file; earlier ones to the old one', async () => {
  const file = newFile()
  const log = new AccessLog({ file, format: '%(U)s' })
  log.record(record('/1'))
  renameSync(file, `${file}.1`)
  log.reopen()
  log.record(record('/2'))
  await log.close()
  expect(text(`${file}.1`)).toBe('/1\n')
  expect(text(file)).toBe('/2\n')
})

test('trouble is told once, not for every line, and the number of lost lines at the end', async () => {
  const told: string[] = []
  const log = new AccessLog({
    file: '/dev/full',
    format: '%(U)s',
    onTrouble: (problem) => told.push(problem),
  })
  log.record(record('/1'))
  log.flush()
  log.record(record('/2'))
  log.flush()
  await log.close()
  expect(told).toHaveLength(2)
  expect(told[0]).toContain('Cannot write the access log')
  expect(told[1]).toBe('2 lines of the access log could not be written [MONO8002]')
})

test('8 MiB wait for a slow reader, with what is being written; further lines are lost', async () => {
  const pipe = stalledPipe()
  const told: string[] = []
  const log = new AccessLog({
    file: pipe.path,
    format: '%(U)s',
    onTrouble: (problem) => told.push(problem),
  })
  const line = `/${'x'.repeat(100_000)}`
  const fit = Math.floor((8 * 1024 * 1024) / (line.length + 1))
  const recordMany = () => {
    for (let i = 0; i < 100; i++) log.record(record(line))
  }
  let received = ''
  const receive = (lines: number) =>
    vi.waitFor(
      () => {
        received += pipe.read()
        expect(received.length).toBeGreaterThanOrEqual(lines * (line.length + 1))
      },
      { timeout: 20_000, interval: 5 },
    )
  recordMany()
  // One line was a batch of its own; when there is more, the others are the next batch.
  await receive(2)
  recordMany()
  // Without the first line, one more fits.
  await receive(fit + 1)
  await log.close()
  expect(received + pipe.read()).toBe(`${line}\n`.repeat(fit + 1))
  expect(told).toEqual([
    'Cannot write the access log: its reader is too slow [MONO8002]',
    // Once for the first batch, and once for all others.
    `${100 - fit} lines of the access log could not be written [MONO8002]`,
    'Cannot write the access log: its reader is too slow [MONO8002]',
    '99 lines of the access log could not be written [MONO8002]',
  ])
})

test('a file that cannot be opened, or a bad format, is refused', () => {
  expect(() => new AccessLog({ file: join(folder, 'no/such.log'), format: '%(h)s' })).toThrow(
    'its folder does not exist',
  )
  expect(() => new AccessLog({ file: newFile(), format: '%(U)d' })).toThrow('%(U)d must end in s')
})

test('lines of several processes in one file are never mixed', async () => {
  const file = newFile()
  writeFileSync(file, '')
  const script = `
    const { openSync, writeSync } = require('node:fs')
    const fd = openSync(process.argv[1], 'a')
    process.send('ready')
    process.on('message', () => {
      for (let i = 0; i < 300; i++) writeSync(fd, ('/other' + 'o'.repeat(100) + '\\n').repeat(50))
      process.disconnect()
    })`
  const child = spawn(process.execPath, ['-e', script, file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const log = new AccessLog({ file, format: '%(U)s' })
  await once(child, 'message')
  const exited = once(child, 'exit')
  child.send('go')
  const target = `/mine${'m'.repeat(100)}`
  for (let i = 0; i < 15_000; i++) {
    log.record(record(target))
    if (i % 1000 === 0) await new Promise(setImmediate)
  }
  await log.close()
  expect(await exited).toEqual([0, null])
  const lines = text(file).trimEnd().split('\n')
  expect(lines).toHaveLength(30_000)
  for (const line of lines)
    if (line !== target && line !== `/other${'o'.repeat(100)}`) expect(line).toBe('a whole line')
})
