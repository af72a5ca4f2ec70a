import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  answerTo,
  TestHandle,
  TestTask,
  workerOptions,
} from '../../../tests/support/test-worker.ts'
import { Assignment } from './assignment.ts'
import {
  CANCEL,
  encodeFrame,
  FAIL,
  PRINT_STACKS,
  PRINTED,
  REQUEST,
  START,
  STOP,
  VIOLATION,
} from './frames.ts'
import { Worker, type WorkerOwner } from './worker.ts'

interface Bench {
  readonly worker: Worker
  readonly handle: TestHandle
  readonly returned: Assignment[]
  readonly unbegun: Assignment[]
  readonly notes: string[][]
  readonly logged: string[]
  readonly states: string[]
  readonly failures: string[]
}

async function makeBench(ready: object = {}): Promise<Bench> {
  const returned: Assignment[] = []
  const unbegun: Assignment[] = []
  const notes: string[][] = []
  const logged: string[] = []
  const states: string[] = []
  const failures: string[] = []
  const listener: WorkerOwner = {
    stateChanged: (worker) => void states.push(worker.state),
    loadFailed: (_worker, text) => void failures.push(text),
    progressed: () => {},
    returned: (_worker, assignments) => void returned.push(...assignments),
    exited: (_worker, _reason, left) => void unbegun.push(...left),
    exhausted: () => {},
    output: () => {},
    log: (_worker, _level, text) => void logged.push(text),
    violation: (_worker, rule, text) => void notes.push([rule, text]),
    filesLoaded: () => {},
  }
  let handle: TestHandle | undefined
  const worker = new Worker(
    workerOptions(async (its) => {
      handle = new TestHandle(its)
      return handle
    }),
    listener,
  )
  await worker.start(1)
  handle!.ready(ready)
  return { worker, handle: handle!, returned, unbegun, notes, logged, states, failures }
}

function assign({ worker }: Bench, count: number) {
  return Array.from({ length: count }, () => {
    const task = new TestTask()
    const assignment = new Assignment(task, 0)
    worker.assign(assignment, performance.now())
    return { task, assignment }
  })
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a request that is cancelled in the turn that it came in is sent before its CANCEL', async () => {
  // A client that sends a request and is gone at once. The channels of an embedded worker are one,
  // and a frame about a stream that it has not been given ends it.
  const { worker, handle } = await makeBench()
  const before = handle.sent.length
  const assignment = new Assignment(new TestTask(), 0)
  worker.assign(assignment, performance.now())
  worker.cancel(assignment)
  expect(handle.sent.slice(before).map((bytes) => bytes[4])).toEqual([REQUEST, CANCEL])
})

describe('a worker in a handle that can be taken back from', () => {
  test('gives back exactly what it has not begun, in order, without being asked', async () => {
    const bench = await makeBench()
    const [first, second, third, fourth] = assign(bench, 4)
    bench.handle.lastBegun = 2
    bench.worker.recall()
    await settled()
    expect(bench.returned).toEqual([third.assignment, fourth.assignment])
    expect(bench.worker.load).toBe(2)
    expect(bench.worker.taken).toBe(2)
    bench.handle.says(Buffer.concat([answerTo(1), answerTo(2)]))
    expect([first.task.answers, second.task.answers]).toEqual([1, 1])
    expect(bench.worker.assignments.size).toBe(0)
    // Nothing but START and requests went out: no RECALL.
    expect(bench.handle.types).toEqual([START, ...Array(4).fill(REQUEST)])
  })

  test('what is cancelled while it is taken back is released, and not given to another', async () => {
    const bench = await makeBench()
    const [, second] = assign(bench, 2)
    bench.handle.lastBegun = 1
    bench.worker.recall()
    second.assignment.cancel()
    await settled()
    expect(bench.returned).toEqual([])
    expect(second.task.releases).toBe(1)
    expect(bench.worker.load).toBe(1)
  })

  test('requests that come after it was taken back from are its own', async () => {
    const bench = await makeBench()
    const [, second] = assign(bench, 2)
    bench.handle.lastBegun = 1
    bench.worker.recall()
    const [third] = assign(bench, 1)
    await settled()
    expect(bench.returned).toEqual([second.assignment])
    expect([...bench.worker.assignments].at(-1)).toBe(third.assignment)
    bench.worker.recall()
    await settled()
    expect(bench.returned).toEqual([second.assignment, third.assignment])
  })

  test('when it ends, what had begun is lost and what was taken back is nowhere twice', async () => {
    const bench = await makeBench()
    const [first, second, third] = assign(bench, 3)
    bench.handle.lastBegun = 1
    bench.worker.recall()
    await settled()
    const [fourth] = assign(bench, 1)
    bench.handle.ends('was ended')
    expect(first.task.calls).toEqual(['502 worker 7 ended while it ran this request (was ended)'])
    expect(bench.returned).toEqual([second.assignment, third.assignment])
    expect(bench.unbegun).toEqual([fourth.assignment])
  })

  test('is interrupted in the stream of the request', async () => {
    const bench = await makeBench()
    const [, second] = assign(bench, 2)
    expect(bench.worker.interrupt(second.assignment)).toBe(true)
    expect(bench.handle.interrupted).toBe(2)
  })
})

describe('violations that a worker reports', () => {
  test('are passed on with the rule that they are about', async () => {
    const { handle, notes } = await makeBench()
    handle.says(
      encodeFrame(
        VIOLATION,
        0,
        Buffer.from('{"rule":"hop-by-hop connection","text":"the header is omitted"}'),
      ),
    )
    expect(notes).toEqual([['hop-by-hop connection', 'the header is omitted']])
  })

  test.each(['', '5', 'null', '{"rule":1,"text":"x"}', '{"rule":"x"}'])(
    '%j ends the worker',
    async (payload) => {
      const { handle, notes, logged } = await makeBench()
      handle.says(encodeFrame(VIOLATION, 0, Buffer.from(payload)))
      expect(notes).toEqual([])
      expect(logged).toEqual([
        expect.stringMatching(/^Killing the worker: it broke the protocol: a (VIOLATION|payload)/),
      ])
    },
  )
})

describe('the state of a worker', () => {
  test('is reported at each change, from its start to its end', async () => {
    const { worker, handle, states } = await makeBench()
    expect(states).toEqual(['loading', 'serving'])
    worker.leave()
    expect(states).toEqual(['loading', 'serving', 'leaving'])
    expect(handle.types.at(-1)).toBe(STOP)
    handle.ends('exited with status 0')
    expect(worker.state).toBe('gone')
    expect(states).toHaveLength(3)
  })

  test('a second READY breaks the protocol', async () => {
    const { handle, logged } = await makeBench()
    handle.ready()
    expect(logged).toEqual(['Killing the worker: it broke the protocol: a second READY [MONO5005]'])
    expect(handle.calls).toEqual(['kill'])
  })

  test('a worker that is condemned leaves its space to nobody, and is aborted once', async () => {
    const { worker, handle } = await makeBench()
    expect(worker.space).toBeGreaterThan(0)
    worker.condemn()
    expect(worker.space).toBe(0)
    worker.abort('too late')
    worker.abort('too late')
    expect(handle.calls).toEqual(['abort'])
  })

  test('what a worker prints of its greenlets comes before it is aborted', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { worker, handle } = await makeBench({ greenlets: true })
    worker.abort('too late')
    expect(handle.types.at(-1)).toBe(PRINT_STACKS)
    vi.advanceTimersByTime(1900)
    expect(handle.calls).toEqual([])
    handle.says(encodeFrame(PRINTED, 0))
    expect(handle.calls).toEqual(['abort'])
    vi.advanceTimersByTime(1000)
    expect(handle.calls).toEqual(['abort'])
  })

  test('a worker that cannot print them is aborted after two seconds', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { worker, handle } = await makeBench({ greenlets: true })
    worker.abort('too late')
    vi.advanceTimersByTime(2000)
    expect(handle.calls).toEqual(['abort'])
  })

  test('a PRINTED that nobody has asked for breaks the protocol', async () => {
    const { handle, logged } = await makeBench({ greenlets: true })
    handle.says(encodeFrame(PRINTED, 0))
    expect(logged).toEqual([expect.stringContaining('a PRINTED that nobody has asked for')])
    expect(handle.calls).toEqual(['kill'])
  })

  test('a failure to load is passed on', async () => {
    const { handle, failures } = await makeBench()
    handle.says(encodeFrame(FAIL, 0, Buffer.from('no module')))
    expect(failures).toEqual(['no module'])
  })
})
