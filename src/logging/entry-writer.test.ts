import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { EntryWriter } from './entry-writer.ts'
import { ErrorLog } from './error-log.ts'

/** A pipe that has a reader, which reads only when it is told to. */
function stalledPipe(): { path: string; read(): string } {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-pipe-'))
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  const buffer = Buffer.alloc(1024 * 1024)
  return {
    path,
    read() {
      let text = ''
      for (;;) {
        try {
          text += buffer.toString('latin1', 0, readSync(fd, buffer))
        } catch {
          return text // there is nothing more at the moment
        }
      }
    },
  }
}

test('entries wait for a reader that has stalled, and come in order', async () => {
  const pipe = stalledPipe()
  const writer = new EntryWriter(pipe.path, 2)
  const entries = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat(200)}\n`)
  for (const entry of entries) expect(writer.write(Buffer.from(entry))).toBe(true)
  let received = ''
  await vi.waitFor(() => {
    received += pipe.read()
    expect(received).toHaveLength(entries.join('').length)
  }, 20_000)
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
  }, 20_000)
  const lost = Number(/(\d+) log entries could not/.exec(received)![1])
  const whole = received.match(/^\[.*\] \[INFO\] x{200}$/gm)!.length
  // Some of the later ones may be lost, too.
  expect(lost + whole).toBeGreaterThanOrEqual(20_000)
  expect(lost + whole).toBeLessThanOrEqual(20_000 + again)
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
