import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { WorkerEnd } from './worker-end.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function follow() {
  const calls: string[] = []
  const end = new WorkerEnd({
    finish: (reason) => void calls.push(reason),
    kill: (reason) => void calls.push(`kill: ${reason}`),
  })
  return { end, calls }
}

it('is over when its process has ended and its channel is closed', () => {
  const { end, calls } = follow()
  end.exited('exited with status 0', true)
  expect(calls).toEqual([])
  end.channelClosed()
  expect(calls).toEqual(['exited with status 0'])
  vi.advanceTimersByTime(1000)
  end.exited('again', true)
  end.channelClosed()
  expect(calls).toEqual(['exited with status 0'])
})

it('is over soon after the end of its process, whoever else keeps the channel open', () => {
  const { end, calls } = follow()
  end.exited('killed by SIGKILL', true)
  vi.advanceTimersByTime(1000)
  expect(calls).toEqual(['killed by SIGKILL'])
})

it('is over at once if it was never started', () => {
  const { end, calls } = follow()
  end.exited('could not be started: no', false)
  expect(calls).toEqual(['could not be started: no'])
})

it('comes with the first reason for which it was killed', () => {
  const { end, calls } = follow()
  end.force('load_timeout')
  end.force('the server was ended')
  expect(end.isForced).toBe(true)
  end.channelClosed()
  end.exited('killed by SIGABRT', true)
  expect(calls).toEqual(['killed by SIGABRT: load_timeout'])
})

it('is forced if the channel is closed and the process goes on', () => {
  const { end, calls } = follow()
  end.channelClosed()
  vi.advanceTimersByTime(1000)
  expect(calls).toEqual(['kill: it closed its data channel'])
})
