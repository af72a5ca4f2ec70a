import { beforeEach, describe, expect, it } from 'vitest'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, DriverLog } from '../actions.ts'
import { type HookArguments, type HookHost, SERVER_HOOKS } from '../hooks/hook-host.ts'
import { exitCodeOf, HookDriver } from './hooks.ts'

const settings = {
  runtime: 'cpython',
  workers: 2,
  gracefulTimeout: 30,
  loadTimeout: 120,
  workerInt: null,
} as Settings

let events: ArbiterEvents
let seen: string[]
const log = {
  log: (level: string, text: string) => seen.push(`${level}: ${text}`),
} as unknown as DriverLog

beforeEach(() => {
  events = new ArbiterEvents((topic, error) => {
    throw new Error(`${topic}: ${error}`)
  })
  seen = []
})

/** A host that notes its calls; hooks that are named in `raising` raise. */
function host(name = '', raising: readonly string[] = []): HookHost {
  return {
    hooks: SERVER_HOOKS,
    logWith() {},
    tell(news) {
      seen.push(`${name}${JSON.stringify(news)}`)
    },
    async call(hook, args: HookArguments) {
      const { server: _, ...rest } = args
      seen.push(`${name}${hook} ${args.server.num_workers} ${JSON.stringify(rest)}`)
      if (raising.includes(hook)) throw new Error('no')
    },
    kill() {},
    isGone: false,
  }
}

async function started(first: HookHost): Promise<HookDriver> {
  const driver = new HookDriver({ settings, configHost: first }, 4711)
  await driver.start({ events } as ArbiterActions, log)
  return driver
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the hooks of the server', () => {
  it('are called around the life of the server and of its workers', async () => {
    const driver = await started(host())
    await driver.listening()
    await driver.startingWorker(1)
    events.workerStarted.publish({ pid: 11, age: 1, acceptor: 10 })
    events.workersChanged.publish({ workers: 2, before: null })
    events.workersChanged.publish({ workers: 3, before: 2 })
    events.workerEnded.publish({
      pid: 11,
      acceptor: 10,
      cause: 'timed-out',
      reason: 'killed by SIGABRT',
    })
    await settled()
    await driver.end()
    expect(seen).toEqual([
      'nworkers_changed 2 {"new_value":2,"old_value":null}',
      'on_starting 2 {}',
      'when_ready 2 {}',
      'pre_fork 2 {"worker":{"age":1}}',
      '{"started":{"age":1,"pid":11}}',
      'nworkers_changed 3 {"new_value":3,"old_value":2}',
      'child_exit 3 {"worker":{"pid":11,"exitcode":-6,"aborted":true}}',
      'on_exit 3 {}',
    ])
  })

  it('come from the settings that a reload has read, also for workers that were there', async () => {
    const driver = await started(host('old '))
    events.workerStarted.publish({ pid: 11, age: 1, acceptor: 10 })
    seen = []
    await driver.reloading({ settings: { ...settings, workers: 4 }, configHost: host('new ') })
    events.reload.publish({ phase: 'done' })
    events.workerEnded.publish({
      pid: 11,
      acceptor: 10,
      cause: 'stopped',
      reason: 'exited with status 0',
    })
    await settled()
    expect(seen).toEqual([
      'new {"started":{"age":1,"pid":11}}',
      'new nworkers_changed 4 {"new_value":4,"old_value":2}',
      'new on_reload 4 {}',
      'new child_exit 4 {"worker":{"pid":11,"exitcode":0,"aborted":false}}',
    ])
  })

  it('stay those of before if the reload fails', async () => {
    const driver = await started(host('old '))
    const configHost = host('new ', ['on_reload'])
    await expect(driver.reloading({ settings, configHost })).rejects.toThrow(
      'The hook on_reload raised [MONO5501]\nno',
    )
    events.reload.publish({ phase: 'failed', reason: 'no' })
    seen = []
    await driver.end()
    await driver.startingWorker(2).catch(() => {})
    expect(seen.filter((entry) => entry.startsWith('new'))).toEqual([])
  })

  it('that raise refuse a start, and are logged when the server runs', async () => {
    const raising = host('', ['on_starting', 'child_exit'])
    const driver = new HookDriver({ settings, configHost: raising }, 4711)
    await expect(driver.start({ events } as ArbiterActions, log)).rejects.toThrow(
      'The hook on_starting raised [MONO5501]\nno',
    )
    events.workerEnded.publish({
      pid: 1,
      acceptor: 2,
      cause: 'crashed',
      reason: 'killed by SIGKILL',
    })
    await settled()
    expect(seen.at(-1)).toBe('error: The hook child_exit raised [MONO5501]\nno')
  })

  it('of a server that never listened do not include on_exit', async () => {
    const driver = await started(host())
    await driver.end()
    expect(seen).not.toContain('on_exit 2 {}')
  })
})

it.each([
  ['exited with status 3', 3],
  ['Acceptor 4 exited with status 1', 1],
  ['Acceptor 4 was killed by SIGKILL', -9],
  ['killed by SIGKILL', -9],
  ['killed by SIGABRT: a request ran too long', -6],
  ['ended with its acceptor: Acceptor 1 was killed', null],
])('takes the exit code from %j', (reason, code) => {
  expect(exitCodeOf(reason)).toBe(code)
})
