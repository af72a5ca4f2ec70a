import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HookCalls } from './hook-calls.ts'
import type { HookHost } from './hook-host.ts'

const server = { pid: 1, num_workers: 2, reexec_pid: 0 }
let entries: string[]

beforeEach(() => {
  vi.useFakeTimers()
  entries = []
})

afterEach(() => {
  vi.useRealTimers()
})

function calls(call: HookHost['call'], limit = 0) {
  const kill = vi.fn()
  const host = {
    hooks: ['when_ready', 'on_exit'],
    logWith() {},
    tell() {},
    call,
    kill,
    isGone: false,
  }
  const log = (level: string, text: string) => entries.push(`${level} ${text}`)
  return { hooks: new HookCalls({ host, log, limit }), kill, host }
}

describe('hooks of the server', () => {
  it('are called only if the configuration has them', async () => {
    const call = vi.fn(async () => {})
    const { hooks } = calls(call)
    await hooks.call('on_starting', { server })
    await hooks.call('when_ready', { server })
    expect(call).toHaveBeenCalledExactlyOnceWith('when_ready', { server })
  })

  it('say in the error which one raised', async () => {
    const { hooks } = calls(async () => {
      throw new Error('Traceback …\nValueError: no')
    })
    await expect(hooks.call('when_ready', { server })).rejects.toThrow(
      'The hook when_ready raised [MONO5501]\nTraceback …\nValueError: no',
    )
  })

  it('are named in the log while they do not return', async () => {
    const { hooks } = calls(() => new Promise(() => {}))
    void hooks.call('when_ready', { server })
    await vi.advanceTimersByTimeAsync(45_000)
    expect(entries).toEqual([
      'warning The hook when_ready has not returned for 10 s [MONO5502]',
      'warning The hook when_ready has not returned for 20 s [MONO5502]',
      'warning The hook when_ready has not returned for 40 s [MONO5502]',
    ])
  })

  it('are not waited for longer than their limit, and no other is called after that', async () => {
    const { hooks, kill } = calls(() => new Promise(() => {}), 5)
    const called = expect(hooks.call('when_ready', { server })).rejects.toThrow(
      'The hook when_ready did not return within 5 s; no hook of the server is called any more',
    )
    await vi.advanceTimersByTimeAsync(5000)
    await called
    expect(kill).toHaveBeenCalledOnce()
    expect(hooks.has('on_exit')).toBe(false)
    await hooks.call('on_exit', { server })
  })

  it('are not called any more when their process has ended', async () => {
    const { hooks, host } = calls(async () => {
      host.isGone = true
      throw new Error('The process was killed by SIGKILL')
    })
    await expect(hooks.call('when_ready', { server })).rejects.toThrow(
      'The hook when_ready did not return: The process was killed by SIGKILL; ' +
        'no hook of the server is called any more until it is reloaded',
    )
    expect(hooks.has('on_exit')).toBe(false)
    await hooks.call('on_exit', { server })
  })
})
