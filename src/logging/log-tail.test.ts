import { expect, test } from 'vitest'
import type { EntryListener } from './error-log.ts'
import { LogTail } from './log-tail.ts'

function tail() {
  const listeners: EntryListener[] = []
  const kept = new LogTail({
    listen: (listener) => void listeners.push(listener),
    listenToOutput: () => {},
  })
  return { kept, log: listeners[0]! }
}

test('it keeps 64 KiB of the newest entries, however short or long they are', () => {
  for (const text of ['', 'x'.repeat(100), 'y'.repeat(100_000)]) {
    const { kept, log } = tail()
    for (let at = 0; at < 5000; at++) log('info', text, 1)
    const size = kept.entries.reduce((sum, entry) => sum + entry.text.length + 64, 0)
    expect(size).toBeLessThanOrEqual(64 * 1024)
    expect(size).toBeGreaterThan(48 * 1024)
    expect(kept.entries.at(-1)?.number).toBe(5000)
  }
})

test('errors stay when other entries push them out of the log; 20 of them', () => {
  const { kept, log } = tail()
  for (let at = 0; at < 25; at++) log(at % 2 === 0 ? 'error' : 'critical', `${at}`, 7)
  for (let at = 0; at < 5000; at++) log('info', 'noise', 1)
  expect(kept.errors.map(({ text }) => text)).toEqual(
    Array.from({ length: 20 }, (_, at) => `${at + 5}`),
  )
  expect(kept.errors[0]).toMatchObject({ pid: 7, level: 'critical' })
  expect(kept.entries.some(({ level }) => level === 'error')).toBe(false)
})
