import { beforeEach, expect, it } from 'vitest'
import { FunctionHost } from './function-host.ts'

const server = { pid: 1, num_workers: 2 }
let seen: unknown[]

beforeEach(() => {
  seen = []
})

it('calls functions with the server and the worker, one after the other', async () => {
  const host = new FunctionHost('monoceros.config.ts', {
    when_ready: async ({ pid, workers, log }) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      log.info(`${pid} ${workers}`)
    },
    pre_fork: (_, { pid, age }) => void seen.push(['pre_fork', pid, age]),
    child_exit: (_, { pid, age, exitCode, aborted }) =>
      void seen.push([pid, age, exitCode, aborted]),
    nworkers_changed: (_, workers, before) => void seen.push([workers, before]),
  })
  host.logWith((level, text) => seen.push(`${level} ${text}`))
  expect(host.hooks).toEqual(['when_ready', 'pre_fork', 'child_exit', 'nworkers_changed'])
  const calls = [
    host.call('when_ready', { server }),
    host.call('nworkers_changed', { server, new_value: 2, old_value: null }),
    host.call('pre_fork', { server, worker: { age: 1 } }),
  ]
  host.tell({ started: { pid: 11, age: 1 } })
  calls.push(host.call('child_exit', { server, worker: { pid: 11, exitcode: -9, aborted: true } }))
  await Promise.all(calls)
  expect(seen).toEqual(['info 1 2', [2, null], ['pre_fork', null, 1], [11, 1, -9, true]])
})

it('rejects with the stack of what a function throws, and goes on', async () => {
  const host = new FunctionHost('monoceros.config.ts', {
    on_starting: () => {
      throw new TypeError('no')
    },
    on_exit: () => void seen.push('on_exit'),
  })
  await expect(host.call('on_starting', { server })).rejects.toThrow(/^TypeError: no\n\s+at/)
  await host.call('on_exit', { server })
  expect(seen).toEqual(['on_exit'])
})
