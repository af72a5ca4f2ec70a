import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { firstWarning, type Load, LoadWatch } from './load-watch.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

interface Bench {
  readonly watch: LoadWatch
  readonly warned: string[]
  readonly givenUp: string[]
  /** Something begins to load; it says where it stands as `where` has it. */
  load(name: string, where?: () => string): () => void
}

function makeBench(timeout: number): Bench {
  const warned: string[] = []
  const givenUp: string[] = []
  const watch = new LoadWatch({
    application: 'site:app',
    timeout,
    warn: (text) => warned.push(text),
  })
  return {
    watch,
    warned,
    givenUp,
    load(name, where = () => 'Stack') {
      const load: Load = {
        name,
        pid: 1,
        reportStack: () => Promise.resolve({ text: where(), isStack: where().startsWith('Stack') }),
        giveUp: (text) => givenUp.push(`${name}: ${text}`),
      }
      return watch.begin(load)
    },
  }
}

test('the first warning comes after 10 s, or after half of a limit that is short', () => {
  expect([firstWarning(120), firstWarning(20), firstWarning(4), firstWarning(0)]).toEqual([
    10, 10, 2, 10,
  ])
})

describe('a load that does not end', () => {
  test('is warned of with where it stands, later and later, and given up at the limit', async () => {
    const bench = makeBench(50)
    let line = 0
    bench.load('Worker 7', () => `Stack of line ${++line}`)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(bench.warned).toEqual([])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(bench.warned).toEqual([
      expect.stringMatching(
        /^Worker 7 is still loading site:app after 10 s \(it is abandoned after 50 s, load_timeout\)\. Stack of line \d \[MONO2021\]$/,
      ),
    ])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(bench.warned.map((text) => /after (\d+) s/.exec(text)![1])).toEqual(['10', '20', '40'])
    expect(bench.givenUp).toEqual([])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(bench.givenUp).toEqual([
      expect.stringMatching(
        /^Worker 7: site:app could not be loaded within 50 s \(load_timeout\)\. Stack of/,
      ),
    ])
    expect(bench.warned).toHaveLength(3)
  })

  test('is never given up without a limit', async () => {
    const bench = makeBench(0)
    const end = bench.load('Worker 7')
    await vi.advanceTimersByTimeAsync(400_000)
    expect(bench.givenUp).toEqual([])
    expect(bench.warned[0]).toBe('Worker 7 is still loading site:app after 10 s. Stack [MONO2021]')
    expect(bench.warned).toHaveLength(6)
    end()
  })
})

test('the same stack is shown once', async () => {
  const bench = makeBench(0)
  const ends = [bench.load('Worker 1'), bench.load('Worker 2')]
  await vi.advanceTimersByTimeAsync(21_000)
  expect(bench.warned).toEqual([
    'Worker 1 is still loading site:app after 10 s. Stack [MONO2021]',
    'Worker 2 is still loading site:app after 10 s, at the same place as Worker 1 [MONO2021]',
    'Worker 1 is still loading site:app after 20 s, at the same place as before [MONO2021]',
    'Worker 2 is still loading site:app after 20 s, at the same place as Worker 1 [MONO2021]',
  ])
  for (const end of ends) end()
})

test('what has ended, also while it was asked where it stands, is neither warned of nor given up', async () => {
  const bench = makeBench(20)
  const end = bench.load('Worker 1')
  const late = bench.load('Worker 2', () => {
    late()
    return 'Stack'
  })
  end()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([bench.warned, bench.givenUp]).toEqual([[], []])
  expect(vi.getTimerCount()).toBe(0)
})
