import { expect, test, vi } from 'vitest'
import { stalledPipe } from '../../tests/support/stalled-pipe.ts'
import { EntryWriter } from './entry-writer.ts'
import { ErrorLog } from './error-log.ts'

test('entries wait for a reader that has stalled, and come in order', async () => {
  const pipe = stalledPipe()
  const writer = new EntryWriter(pipe.path, 2)
  const entries = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat(200)}\n`)
  for (const entry of entries) expect(writer.write(Buffer.from(entry))).toBe(true)
  let received = ''
  await vi.waitFor(() => {
    received += pipe.read()
    expect(received).toHaveLength(entries.join('').length)
  }, 25_000)
  expect(received).toBe(entries.join(''))
  writer.close()
})

test('entries beyond a limit are lost; nobody waits, and the number is told later', async () => {
  const pipe = stalledPipe()
  const log = new ErrorLog({ file: pipe.path, level: 'info' })
  const began = performance.now()
  for (let i = 0; i < 20_000; i++) log.info('x'.repeat(200))
  expect(performance.now() - began).toBeLessThan(10_000)
  let received = ''
  let again = 0
  await vi.waitFor(() => {
    const before = received.length
    received += pipe.read()
    log.info('again')
    again++
    expect(received.length).toBeGreaterThan(before)
    expect(received).toContain('log entries could not be written')
  }, 25_000)
  const lost = Number(/(\d+) log entries could not/.exec(received)![1])
  const whole = received.match(/^\[.*\] \[INFO\] x{200}$/gm)!.length
  // Some of the later ones may be lost, too.
  expect(lost + whole).toBeGreaterThanOrEqual(20_000)
  expect(lost + whole).toBeLessThanOrEqual(20_000 + again)
  log.close()
})

test('what an application prints without end does not keep the server’s own entries out', async () => {
  const pipe = stalledPipe()
  const log = new ErrorLog({ file: pipe.path, level: 'info' })
  const worker = log.forWorker(7)
  for (let i = 0; i < 20_000; i++) worker.output('stdout', 'x'.repeat(200))
  log.info('the request ran out of time')
  for (let i = 0; i < 100; i++) worker.output('stdout', 'x'.repeat(200))
  let received = ''
  await vi.waitFor(() => {
    received += pipe.read()
    expect(received).toContain('the request ran out of time')
  }, 25_000)
  log.close()
})

test('closing gives up on a reader that has stalled', () => {
  const pipe = stalledPipe()
  const writer = new EntryWriter(pipe.path, 2)
  for (let i = 0; i < 2000; i++) writer.write(Buffer.alloc(200, 'x'))
  const began = performance.now()
  writer.close()
  expect(performance.now() - began).toBeLessThan(5000)
})
