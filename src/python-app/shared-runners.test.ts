import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { checkOptions, type PythonAppOptions } from './python-options.ts'
import { type Runner, sharedRunner } from './shared-runners.ts'

interface Made extends Runner {
  readonly options: { readonly log: (entry: unknown) => void }
  busy: boolean
  closed: boolean
}

let made: Made[] = []
let applications = 0
let application = ''

beforeEach(() => {
  vi.useFakeTimers()
  made = []
  application = `shop${++applications}:app`
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

function make(options: PythonAppOptions = {}): Runner {
  return sharedRunner({
    application,
    options: checkOptions(options),
    make: (_application, checked) => {
      const runner: Made = {
        options: checked as unknown as Made['options'],
        busy: false,
        closed: false,
        call: async () => [],
        ready: async () => {},
        reload: async () => {},
        close: async () => {
          runner.closed = true
        },
      }
      made.push(runner)
      return runner
    },
  })
}

/** Calls each of some runners every 10 ms, for a time in milliseconds. */
async function callFor(time: number, ...runners: readonly Runner[]): Promise<void> {
  for (let passed = 0; passed < time; passed += 10) {
    for (const runner of runners) await runner.ready()
    vi.advanceTimersByTime(10)
  }
}

/** Of each runner that was made, whether its workers are there. */
function open(): boolean[] {
  return made.map(({ closed }) => !closed)
}

describe('an application that is made again', () => {
  test('has the workers that are there', async () => {
    await make().ready()
    await make().ready()
    expect(made.length).toBe(1)
  })

  test('with other options ends the workers that were there, which nothing else does', async () => {
    await make({ workers: 2 }).ready()
    vi.advanceTimersByTime(6000)
    await make({ workers: 3 }).ready()
    vi.advanceTimersByTime(6000)
    expect(open()).toEqual([false, true])
  })

  test('with other options soon after, ends them as well', async () => {
    await make({ workers: 2 }).ready()
    vi.advanceTimersByTime(2000)
    await make({ workers: 3 }).ready()
    vi.advanceTimersByTime(6000)
    expect(open()).toEqual([false, true])
  })

  test('with other options leaves those alone that are called, and ends them after that', async () => {
    const old = make({ workers: 2 })
    await old.ready()
    vi.advanceTimersByTime(6000)
    const current = make({ workers: 3 })
    await callFor(60_000, old, current)
    expect(open()).toEqual([true, true])
    await callFor(4900, current)
    expect(open()).toEqual([true, true])
    await callFor(200, current)
    expect(open()).toEqual([false, true])
    await callFor(60_000, current)
    expect(open()).toEqual([false, true])
  })

  test('with other options ends workers only after the requests that they have', async () => {
    const old = make({ workers: 2 })
    await old.ready()
    made[0]!.busy = true
    vi.advanceTimersByTime(6000)
    await make({ workers: 3 }).ready()
    vi.advanceTimersByTime(600_000)
    expect(open()).toEqual([true, true])
    made[0]!.busy = false
    vi.advanceTimersByTime(10_000)
    expect(open()).toEqual([false, true])
  })

  test('with the options of before, keeps the workers that were about to end', async () => {
    await make({ workers: 2 }).ready()
    vi.advanceTimersByTime(6000)
    await make({ workers: 3 }).ready()
    vi.advanceTimersByTime(2000)
    await make({ workers: 2 }).ready()
    vi.advanceTimersByTime(60_000)
    expect(open()).toEqual([true, false])
  })

  test('after many edits, has left no workers behind', async () => {
    for (let workers = 1; workers <= 50; workers++) {
      await make({ workers }).ready()
      vi.advanceTimersByTime(6000)
    }
    expect(made.filter(({ closed }) => !closed).length).toBe(1)
  })

  test('beside one with other options in the same module, leaves both alone', async () => {
    for (let edit = 0; edit < 3; edit++) {
      await make({ env: { TENANT: 'a' } }).ready()
      await make({ env: { TENANT: 'b' } }).ready()
      vi.advanceTimersByTime(6000)
    }
    expect(open()).toEqual([true, true])
  })

  test('with other options leaves all alone in production, where no module is replaced', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    await make({ shared: true, workers: 2 }).ready()
    vi.advanceTimersByTime(6000)
    await make({ shared: true, workers: 3 }).ready()
    vi.advanceTimersByTime(3_600_000)
    expect(open()).toEqual([true, true])
  })

  test('is called with the functions of the newest', async () => {
    const entries: string[] = []
    await make({ log: () => entries.push('first') }).ready()
    await make({ log: () => entries.push('second') }).ready()
    made[0]!.options.log({})
    expect(entries).toEqual(['second'])
  })
})

describe('an application whose workers were ended', () => {
  test('starts others when a request needs them', async () => {
    const first = make({ workers: 2 })
    await first.ready()
    vi.advanceTimersByTime(6000)
    make({ workers: 3 })
    vi.advanceTimersByTime(6000)
    expect(made[0]!.closed).toBe(true)
    await first.ready()
    expect(made.length).toBe(2)
  })

  test('which another module uses, has them for ever longer without a request', async () => {
    const a = make({ env: { TENANT: 'a' } })
    await a.ready()
    vi.advanceTimersByTime(6000)
    const b = make({ env: { TENANT: 'b' } })
    for (let minute = 0; minute < 30; minute++) {
      await a.ready()
      await b.ready()
      vi.advanceTimersByTime(60_000)
    }
    // After 5, 10, 20 and 40 seconds without a request; 80 seconds are longer than those here.
    expect(made.length).toBe(2 + 4)
    expect(open()).toEqual([false, true, false, false, false, true])
    vi.advanceTimersByTime(60_000)
    expect(open()).toEqual([false, true, false, false, false, false])
  })

  test('which another module uses, has them for five minutes at most without a request', async () => {
    const a = make({ env: { TENANT: 'a' } })
    await a.ready()
    vi.advanceTimersByTime(6000)
    await make({ env: { TENANT: 'b' } }).ready()
    for (let hour = 0; hour < 30; hour++) {
      await a.ready()
      vi.advanceTimersByTime(3_600_000)
    }
    await a.ready()
    vi.advanceTimersByTime(299_000)
    expect(open().filter((is) => is).length).toBe(2)
    vi.advanceTimersByTime(2000)
    expect(open().filter((is) => is).length).toBe(1)
  })

  test('has the workers of one that was made again with its options since', async () => {
    const first = make({ workers: 2 })
    await first.ready()
    vi.advanceTimersByTime(6000)
    await make({ workers: 3 }).ready()
    vi.advanceTimersByTime(6000)
    const again = make({ workers: 2 })
    await again.ready()
    await first.ready()
    await again.ready()
    expect(made.length).toBe(3)
    await again.close()
    expect(open()).toEqual([false, true, false])
  })
})

describe('closing', () => {
  test('one that is replaced lets an older one start workers, which end as well', async () => {
    const older = make({ workers: 2 })
    const newer = make({ workers: 2 })
    await newer.ready()
    vi.advanceTimersByTime(6000)
    await make({ workers: 3 }).ready()
    await newer.close()
    vi.advanceTimersByTime(6000)
    await older.ready()
    expect(open()).toEqual([false, true, true])
    vi.advanceTimersByTime(6000)
    expect(open()).toEqual([false, true, false])
  })

  test('an older one leaves the workers to the newest', async () => {
    const older = make()
    await older.ready()
    const newest = make()
    await older.close()
    await newest.ready()
    expect(open()).toEqual([true])
    await expect(older.ready()).rejects.toMatchObject({ code: 'python-closed' })
    await newest.close()
    expect(open()).toEqual([false])
  })
})
