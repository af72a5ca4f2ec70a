import { describe, expect, test } from 'vitest'
import type { Task, TaskBody } from '../runtime.ts'
import { Assignment } from './assignment.ts'
import { CANCEL, encodeFrame, HEAD, LAST, READY, REQUEST, VIOLATION } from './frames.ts'
import { Worker, type WorkerOwner } from './worker.ts'
import type { WorkerHandle, WorkerListener } from './worker-handle.ts'

/**
 * A handle whose ledger the test writes, and that can be taken back from at once, as a thread can.
 */
class TestHandle implements WorkerHandle {
  readonly pid = 7
  lastBegun = 0
  interrupted = 0
  readonly sent: Buffer[] = []
  readonly listener: WorkerListener
  readonly channel = {
    destroyed: false,
    writableLength: 0,
    write: (bytes: Buffer) => this.sent.push(Buffer.from(bytes)),
    destroy: () => {},
  }

  constructor(listener: WorkerListener) {
    this.listener = listener
  }

  says(frame: Buffer): void {
    this.listener.received(() => this.listener.decoder.feed(frame))
  }

  sendControl(frame: Buffer): void {
    this.sent.push(frame)
  }

  begun(): number {
    return this.lastBegun
  }

  takeBack(last: number): number {
    const begun = this.lastBegun
    this.lastBegun = last
    return begun
  }

  interrupt(stream: number): boolean {
    this.interrupted = stream
    return true
  }

  where() {
    return Promise.resolve({ text: 'nowhere', isStack: false })
  }

  stands(): void {}
  abort(): void {}
  kill(): void {}
  dispose(): void {}
}

interface Bench {
  readonly worker: Worker
  readonly handle: TestHandle
  readonly returned: Assignment[]
  readonly unbegun: Assignment[]
  readonly notes: string[][]
  readonly logged: string[]
}

function makeBench(): Bench {
  const returned: Assignment[] = []
  const unbegun: Assignment[] = []
  const notes: string[][] = []
  const logged: string[] = []
  const listener: WorkerOwner = {
    ready: () => {},
    loadFailed: () => {},
    progressed: () => {},
    returned: (_worker, assignments) => void returned.push(...assignments),
    exited: (_worker, _reason, left) => void unbegun.push(...left),
    exhausted: () => {},
    output: () => {},
    log: (_worker, _level, text) => void logged.push(text),
    violation: (_worker, rule, text) => void notes.push([rule, text]),
  }
  let handle: TestHandle | undefined
  const worker = new Worker(
    {
      start: (its) => {
        handle = new TestHandle(its)
        return handle
      },
      application: 'shop:app',
      chdir: '/',
      pythonpath: [],
      threads: 1,
      window: 1000,
      gracefulTimeout: 1,
      multiprocess: false,
      strict: false,
      environ: {},
    },
    listener,
    1,
  )
  const ready = { protocol: 2, pid: 7, python: '3.14.2', implementation: 'CPython' }
  handle!.says(encodeFrame(READY, 0, Buffer.from(JSON.stringify(ready))))
  return { worker, handle: handle!, returned, unbegun, notes, logged }
}

function makeTask(): Task & { readonly lostWith: number[]; answers: number; releases: number } {
  return {
    lostWith: [],
    answers: 0,
    releases: 0,
    describe: () => 'GET /',
    environBound: () => 10,
    writeEnviron: (out, at) => out.write('{', at, 'latin1') + at,
    body: { kind: 'whole', chunks: [], length: 0 } satisfies TaskBody,
    abandonedAt: Number.POSITIVE_INFINITY,
    responseHead() {
      this.answers++
      return 0
    },
    responseData: () => false,
    held: () => {},
    responseEnd: () => {},
    responseFile: () => {},
    failed: () => {},
    lost(status) {
      this.lostWith.push(status)
    },
    wantBody: () => {},
    released() {
      this.releases++
    },
  }
}

function assign({ worker }: Bench, count: number) {
  return Array.from({ length: count }, () => {
    const task = makeTask()
    const assignment = new Assignment(task, 0)
    worker.assign(assignment, performance.now())
    return { task, assignment }
  })
}

const answer = (stream: number) => {
  const head = Buffer.from('\0\0\0\x00200 OK\r\n')
  head.writeUInt32LE(8, 0)
  return encodeFrame(HEAD, stream, head, LAST)
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a request that is cancelled in the turn that it came in is heard of before its end', () => {
  // A client that sends a request and is gone at once. The channels of an embedded worker are one,
  // and a frame about a stream that it has not been given ends it.
  const { worker, handle } = makeBench()
  const before = handle.sent.length
  const assignment = new Assignment(makeTask(), 0)
  worker.assign(assignment, performance.now())
  worker.cancel(assignment)
  expect(handle.sent.slice(before).map((bytes) => bytes[4])).toEqual([REQUEST, CANCEL])
})

describe('a worker in a handle that can be taken back from', () => {
  test('gives back exactly what it has not begun, in order, without being asked', async () => {
    const bench = makeBench()
    const [first, second, third, fourth] = assign(bench, 4)
    bench.handle.lastBegun = 2
    bench.worker.recall()
    await settled()
    expect(bench.returned).toEqual([third.assignment, fourth.assignment])
    expect(bench.worker.load).toBe(2)
    expect(bench.worker.taken).toBe(2)
    bench.handle.says(Buffer.concat([answer(1), answer(2)]))
    expect([first.task.answers, second.task.answers]).toEqual([1, 1])
    expect(bench.worker.assignments.size).toBe(0)
    // Nothing but START and requests went out: no RECALL.
    expect(bench.handle.sent.slice(1).flatMap((bytes) => typesIn(bytes))).toEqual(
      Array(4).fill(REQUEST),
    )
  })

  test('what is cancelled while it is taken back is let go of, and not given to another', async () => {
    const bench = makeBench()
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
    const bench = makeBench()
    const [, second] = assign(bench, 2)
    bench.handle.lastBegun = 1
    bench.worker.recall()
    const [third] = assign(bench, 1)
    await settled()
    expect(bench.returned).toEqual([second.assignment])
    expect([...bench.worker.assignments.values()].at(-1)).toBe(third.assignment)
    bench.worker.recall()
    await settled()
    expect(bench.returned).toEqual([second.assignment, third.assignment])
  })

  test('when it ends, what had begun is lost and what was taken back is nowhere twice', async () => {
    const bench = makeBench()
    const [first, second, third] = assign(bench, 3)
    bench.handle.lastBegun = 1
    bench.worker.recall()
    await settled()
    const [fourth] = assign(bench, 1)
    bench.handle.listener.dataClosed()
    bench.handle.listener.exited('was ended')
    expect(first.task.lostWith).toEqual([502])
    expect(bench.returned).toEqual([second.assignment, third.assignment])
    expect(bench.unbegun).toEqual([fourth.assignment])
  })

  test('is interrupted in the stream of the request', () => {
    const bench = makeBench()
    const [, second] = assign(bench, 2)
    expect(bench.worker.interrupt(second.assignment)).toBe(true)
    expect(bench.handle.interrupted).toBe(2)
  })
})

function typesIn(bytes: Buffer): number[] {
  const types: number[] = []
  for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32LE(at)) types.push(bytes[at + 4])
  return types
}

describe('notes of a worker', () => {
  test('are passed on with the rule that they are about', () => {
    const { handle, notes } = makeBench()
    handle.says(
      encodeFrame(
        VIOLATION,
        0,
        Buffer.from('{"rule":"hop-by-hop connection","text":"it is left out"}'),
      ),
    )
    expect(notes).toEqual([['hop-by-hop connection', 'it is left out']])
  })

  test.each(['', '5', 'null', '{"rule":1,"text":"x"}', '{"rule":"x"}'])(
    '%j ends the worker',
    (payload) => {
      const { handle, notes, logged } = makeBench()
      handle.says(encodeFrame(VIOLATION, 0, Buffer.from(payload)))
      expect(notes).toEqual([])
      expect(logged).toEqual([
        expect.stringMatching(/^Worker broke the protocol and is ended: a (VIOLATION|payload)/),
      ])
    },
  )
})
