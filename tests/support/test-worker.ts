import type { Socket } from 'node:net'
import type { Task, TaskBody } from '../../src/runtimes/runtime.ts'
import { Assignment } from '../../src/runtimes/workers/assignment.ts'
import { encodeFrame, HEAD, LAST, READY } from '../../src/runtimes/workers/frames.ts'
import type {
  WorkerHandle,
  WorkerListener,
  WorkerStarter,
  WorkerStartOptions,
} from '../../src/runtimes/workers/worker-handle.ts'
import type { WorkerOptions } from '../../src/runtimes/workers/worker-options.ts'

/** The handle of a worker that the test plays: it writes the ledger, and sends the frames. */
export class TestHandle implements WorkerHandle {
  readonly pid: number
  readonly listener: WorkerListener
  /** The ledger. */
  lastBegun = 0
  /** Whether streams can be taken back at once, as from a thread. */
  takesBack = true
  /** Whether the application can be interrupted, as in a thread. */
  interrupts = true
  interrupted = 0
  readonly sent: Buffer[] = []
  /** `abort`, `kill`, `dispose`: what was called. */
  readonly calls: string[] = []
  readonly channel = {
    destroyed: false,
    writableLength: 0,
    write: (bytes: Buffer) => this.sent.push(Buffer.from(bytes)),
    destroy: () => {},
  }

  constructor(listener: WorkerListener, pid = 7) {
    this.listener = listener
    this.pid = pid
  }

  /** The worker sends these bytes. */
  says(frame: Buffer): void {
    this.listener.received(() => this.listener.decoder.feed(frame))
  }

  /** The worker has loaded its application. */
  ready(more: object = {}): void {
    const { pid } = this
    const ready = { protocol: 4, pid, python: '3.14.2', implementation: 'CPython', ...more }
    this.says(encodeFrame(READY, 0, Buffer.from(JSON.stringify(ready))))
  }

  /** The worker answers a request with an empty response. */
  answers(stream: number): void {
    this.says(answerTo(stream))
  }

  /** The worker ends. */
  ends(reason: string): void {
    this.listener.dataClosed()
    this.listener.exited(reason)
  }

  /** The types of all frames that were sent to the worker, START included. */
  get types(): number[] {
    const types: number[] = []
    for (const bytes of this.sent) {
      for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32LE(at))
        types.push(bytes[at + 4]!)
    }
    return types
  }

  sendControl(frame: Buffer): void {
    this.sent.push(frame)
  }

  begun(): number {
    return this.lastBegun
  }

  takeBack(last: number): number | null {
    if (!this.takesBack) return null
    const begun = this.lastBegun
    this.lastBegun = last
    return begun
  }

  interrupt(stream: number): boolean {
    if (this.interrupts) this.interrupted = stream
    return this.interrupts
  }

  reportStack() {
    return Promise.resolve({ text: 'Stack: nowhere', isStack: true })
  }

  stacksReceived(): void {}

  /** The memory that it has, in bytes. */
  memory = 0

  memoryUse() {
    return Promise.resolve({ bytes: this.memory, sharesMore: false })
  }

  abort(): void {
    this.calls.push('abort')
  }

  kill(): void {
    this.calls.push('kill')
  }

  dispose(): void {
    this.calls.push('dispose')
  }
}

/** An empty response. */
export function answerTo(stream: number): Buffer {
  const head = Buffer.from('\0\0\0\x00200 OK\r\n')
  head.writeUInt32LE(8, 0)
  return encodeFrame(HEAD, stream, head, LAST)
}

/** A start that the test decides about. */
export interface TestStart {
  readonly settings: WorkerStartOptions
  readonly listener: WorkerListener
  /** The worker has been started. */
  succeed(): TestHandle
  fail(message: string): void
}

/** A starter whose starts take until the test says so; they are in `starts`, in order. */
export function slowStarter(): { start: WorkerStarter; starts: TestStart[] } {
  const starts: TestStart[] = []
  const start: WorkerStarter = (listener, settings) =>
    new Promise((resolve, reject) => {
      starts.push({
        settings,
        listener,
        succeed: () => {
          const handle = new TestHandle(listener, 100 + settings.number)
          resolve(handle)
          return handle
        },
        fail: (message) => reject(new Error(message)),
      })
    })
  return { start, starts }
}

export function workerOptions(start: WorkerStarter, threads = 1): WorkerOptions {
  return {
    start,
    application: 'shop:app',
    chdir: '/',
    pythonpath: [],
    threads,
    workerClass: 'sync',
    window: 1000,
    gracefulTimeout: 1,
    multiprocess: false,
    strict: false,
    environ: {},
  }
}

/** A task that records what becomes of it. */
export class TestTask implements Task {
  readonly body: TaskBody = { kind: 'whole', chunks: [], length: 0 }
  abandonedAt = Number.POSITIVE_INFINITY
  /** What its `responseHead` returns. */
  outcome: 0 | 1 | 2 = 0
  answers = 0
  releases = 0
  /** What its `offered` returns. */
  socket: Socket | null = null
  /** Whether the socket can be passed on. */
  lendable = true
  /** What was called, in order. */
  readonly calls: string[] = []

  describe = () => 'GET /'
  environBound = () => 10
  writeEnviron = (out: Buffer, at: number) => out.write('{', at, 'latin1') + at

  earlyHints: Task['earlyHints'] = (lines) =>
    void this.calls.push(`hints ${JSON.stringify(lines.latin1())}`)

  responseHead: Task['responseHead'] = (head, body, ended) => {
    this.answers++
    this.calls.push(`head ${JSON.stringify(head.latin1())} ${body.latin1()}${ended ? ' .' : ''}`)
    return this.outcome
  }

  responseData: Task['responseData'] = (piece) => {
    this.calls.push(`data ${piece.latin1()}`)
    return this.outcome === 1
  }

  offered: NonNullable<Task['offered']> = (bytes, held) => {
    this.calls.push(`offered ${bytes} ${held}`)
    return this.socket && { socket: this.socket, before: 'head' }
  }

  sent = (bytes: number) => void this.calls.push(`sent ${bytes}`)
  held = (bytes: number) => void this.calls.push(`held ${bytes}`)
  responseEnd = (broken: boolean) => void this.calls.push(broken ? 'broken' : 'end')
  responseFile: Task['responseFile'] = ({ path }) => void this.calls.push(`file ${path}`)
  failed = (traceback: string) => void this.calls.push(`failed ${traceback}`)
  lost = (status: number, reason: string) => void this.calls.push(`${status} ${reason}`)
  wantBody = (bytes: number) => void this.calls.push(`want ${bytes}`)

  released(): void {
    this.releases++
  }
}

/** An assignment of a new {@link TestTask}. */
export function testAssignment(stream = 0): { task: TestTask; assignment: Assignment } {
  const task = new TestTask()
  const assignment = new Assignment(task, performance.now())
  assignment.stream = stream
  return { task, assignment }
}
