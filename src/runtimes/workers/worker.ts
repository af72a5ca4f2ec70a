import { Span } from '../../bytes/span.ts'
import type { Whereabouts } from '../load-watch.ts'
import { type FileReference, KEPT, REFUSED } from '../runtime.ts'
import type { Assignment } from './assignment.ts'
import { type Frame, FrameDecoder, type FrameSink } from './frame-decoder.ts'
import { FrameWriter } from './frame-writer.ts'
import {
  ABORT,
  BODY,
  BODY_FILE,
  BODY_STREAM,
  BODY_WINDOW,
  BROKEN,
  CANCEL,
  DATA,
  END,
  encodeFrame,
  FAIL,
  FILE,
  FrameError,
  HEAD,
  LAST,
  LOG,
  PRINT_STACKS,
  PROTOCOL,
  READY,
  RECALL,
  REQUEST,
  RETURNED,
  readU32,
  STACKS,
  START,
  STOP,
  SUSPENDED,
  VIOLATION,
  WINDOW,
  writeU32,
} from './frames.ts'
import type { WorkerHandle, WorkerListener, WorkerStarter } from './worker-handle.ts'

/** How long a worker has to show where its greenlets stand before it is aborted. */
const SHOW_MS = 100

/** How a worker is started; the same for all of a pool. */
export interface WorkerOptions {
  /** Makes what the worker lives in: a process, a thread. */
  readonly start: WorkerStarter
  readonly application: string
  readonly chdir: string
  readonly pythonpath: readonly string[]
  readonly threads: number
  /** Bytes of response body that may be under way for one exchange. */
  readonly window: number
  readonly gracefulTimeout: number
  readonly multiprocess: boolean
  /** Whether the application is held to PEP 3333 to the letter. */
  readonly strict: boolean
  /** What every environ has that does not say otherwise. */
  readonly environ: Readonly<Record<string, string>>
  /** It and its channels do not keep our process from ending; absent is false. */
  readonly background?: boolean
}

/** Called by a {@link Worker} about itself: its pool. */
export interface WorkerOwner {
  ready(worker: Worker): void
  /** The application could not be loaded; the worker is about to exit. */
  loadFailed(worker: Worker, text: string): void
  /** Some exchanges ended: there is room for others. */
  progressed(worker: Worker): void
  /** The worker gave these back before it began them, in order. */
  returned(worker: Worker, assignments: Assignment[]): void
  /** It is gone and everything it had sent was read. What it had not begun is in `unbegun`. */
  exited(worker: Worker, reason: string, unbegun: Assignment[]): void
  /** It should be replaced; `why` as in {@link WorkerListener.exhausted}. */
  exhausted(worker: Worker, why: string): void
  output(worker: Worker, stream: 'stdout' | 'stderr', chunk: Buffer | null): void
  log(worker: Worker, level: number, text: string): void
  /** It let an application's breach of a rule pass: to be said once for each rule. */
  violation(worker: Worker, rule: string, text: string): void
}

/** What a worker said of itself when it was ready. */
export interface WorkerReady {
  readonly pid: number
  readonly python: string
  readonly implementation: string
}

/**
 * - starting: the application is being loaded
 * - serving: takes requests
 * - leaving: takes none any more, ends when it has none
 * - condemned: one of its requests ran out of time; it is ended as soon as the others allow
 * - gone: it has ended
 */
export type WorkerState = 'starting' | 'serving' | 'leaving' | 'condemned' | 'gone'

/**
 * How much of work, in milliseconds, is kept queued on a worker beside what it runs … As long as a
 * worker may go without an answer before it is recalled: 1 ms cost a fifth to a half of the
 * throughput (docs/decisions/005-lookahead-with-recall.md).
 */
const LOOKAHEAD_MS = 5
/** What a request is taken to cost before any was measured. */
const FIRST_SERVICE_MS = 1
/** … and how many requests at most. */
const LOOKAHEAD_MOST = 32
/** The weight of the newest measurement in the moving average of service times. */
const NEWEST = 0.2
/** So many responses that have begun and are not complete are many, for each thread. */
const CROWD = 3
/**
 * How long after a process's end its last output is waited for: children of its own may hold its
 * pipes open for ever.
 */
const LAST_WORDS_MS = 200

/** One worker and what it has been given. `docs/reference/frames.md` is what is spoken. */
export class Worker implements FrameSink, WorkerListener {
  state: WorkerState = 'starting'
  readonly decoder: FrameDecoder
  /** Exchanges it has not ended, in the order in which it begins them. */
  readonly assignments = new Map<number, Assignment>()
  /** How many of them keep a thread busy or wait for one. */
  load = 0
  /** How many it has been given and has not given back. */
  taken = 0
  /** Requests after which it is recycled; Infinity for never. */
  retireAfter = Number.POSITIVE_INFINITY
  readonly startedAt = performance.now()
  readyAt = Number.POSITIVE_INFINITY
  info: WorkerReady | null = null
  /** Its successor is on the way. */
  recycling = false
  /** What its application was told. */
  readonly multiprocess: boolean
  /** Its end is our doing. */
  expected = false
  /**
   * All its threads are busy and nothing has come of it for a while: it gets nothing beside what it
   * runs.
   */
  stuck = false
  /** When it was last asked to give back what it has not begun. */
  recalledAt = 0
  /** When it last ended something or, if later, began to be busy. */
  movedAt = 0
  /**
   * Moving average of how long it takes from one answer to the next while busy, in milliseconds.
   */
  service = FIRST_SERVICE_MS

  readonly #options: WorkerOptions
  readonly #listener: WorkerOwner
  readonly #handle: WorkerHandle
  readonly #writer: FrameWriter
  /** The head of the response that is being passed on. */
  readonly #head = new Span()
  #nextStream = 1
  #ended = 0
  /** How many of those that make the load share their thread with others. */
  #sharing = 0
  /** How many have sent their head and are not complete. */
  #answering = 0
  #exitReason: string | null = null
  #dataClosed = false
  #finished = false
  /** Its application may run greenlets, whose stacks no signal shows. */
  #greenlets = false
  #killReason: string | null = null
  #stopSent = false

  constructor(options: WorkerOptions, listener: WorkerOwner, number: number) {
    this.#options = options
    this.multiprocess = options.multiprocess
    this.#listener = listener
    this.decoder = new FrameDecoder(this)
    const { application, chdir, background = false } = options
    this.#handle = options.start(this, { number, application, chdir, background })
    this.#writer = new FrameWriter(this.#handle.channel)
    this.#sendControl(START, 0, Buffer.from(JSON.stringify(startMessage(options))))
  }

  get crowded(): boolean {
    return this.#answering >= CROWD * this.#options.threads
  }

  get pid(): number {
    return this.#handle.pid
  }

  /** How many more requests it may be given now. */
  get room(): number {
    if (this.state !== 'serving') return 0
    const { threads } = this.#options
    if (this.stuck) return threads - this.load
    const ahead = Math.min(LOOKAHEAD_MOST - 1, Math.floor(LOOKAHEAD_MS / this.service))
    return threads + ahead - (this.load - this.#sharing)
  }

  // ---------------------------------------------------------------- to the worker

  assign(assignment: Assignment, now: number): void {
    const { task } = assignment
    const stream = this.#nextStream++
    assignment.worker = this
    assignment.stream = stream
    assignment.credit = this.#options.window
    assignment.activeAt = now
    this.assignments.set(stream, assignment)
    this.taken++
    if (this.load++ === 0) this.movedAt = now

    const { bytes, at } = this.#writer.begin(REQUEST, stream, task.environBound() + 4)
    const end = task.writeEnviron(bytes, at + 4)
    writeU32(bytes, at, end - at - 4)
    const { body } = task
    if (body.kind === 'whole') {
      this.#writer.end(end, 0, body.chunks)
    } else if (body.kind === 'file') {
      this.#writer.end(end, BODY_FILE, [Buffer.from(body.path)])
    } else {
      this.#writer.end(end, BODY_STREAM)
    }
  }

  cancel(assignment: Assignment): void {
    if (!assignment.open) return
    // On both channels: one reaches it while it is busy, the other while it waits.
    this.#sendControl(CANCEL, assignment.stream)
    this.#writer.write(CANCEL, assignment.stream)
  }

  sendBody(assignment: Assignment, chunk: Buffer, end: boolean): void {
    assignment.activeAt = performance.now()
    this.#writer.write(BODY, assignment.stream, end ? LAST : 0, [chunk])
  }

  abortBody(assignment: Assignment): void {
    this.#writer.write(BODY, assignment.stream, ABORT)
  }

  grant(assignment: Assignment, bytes: number): void {
    if (assignment.credit === 0) assignment.activeAt = performance.now()
    if (assignment.suspended) {
      assignment.suspended = false
      assignment.turn = assignment.activeAt
      this.#sharing++
      if (this.load++ === 0) this.movedAt = assignment.activeAt
    }
    assignment.credit += bytes
    this.#writer.writeU32(WINDOW, assignment.stream, bytes)
  }

  /** Takes back what it has not begun, or asks for it; what it has finished comes out too. */
  recall(): void {
    this.recalledAt = performance.now()
    const begun = this.#handle.takeBack(this.#nextStream - 1)
    if (begun === null) {
      this.#sendControl(RECALL, 0)
      return
    }
    const unbegun = [...this.assignments.values()].filter(({ stream }) => stream > begun)
    // As if it had been answered: whoever asks is in the middle of looking at its workers.
    if (unbegun.length > 0) queueMicrotask(() => this.#takeBack(unbegun))
  }

  /**
   * Whose applications have had a thread since before `limit` (of `performance.now()`) and given
   * nothing. Those that may be waiting for their clients, without credit, are not among them.
   */
  silentSince(limit: number): Assignment[] {
    const atWork = this.#atWork()
    // What else its only thread did came before.
    if (this.#options.threads === 1 && this.movedAt > limit) return []
    return atWork.filter(({ credit, activeAt }) => credit > 0 && activeAt <= limit)
  }

  /** Whether one of its threads works on that one, as far as can be told. */
  isAt(assignment: Assignment): boolean {
    return this.#atWork().includes(assignment)
  }

  #atWork(): Assignment[] {
    const { threads } = this.#options
    const waiting = [...this.assignments.values()].filter(({ suspended }) => !suspended)
    // In the order in which they begin.
    if (threads > 1) return waiting.slice(0, threads)
    const begun = this.#handle.begun()
    let at: Assignment | null = null
    for (const assignment of waiting) {
      if (assignment.stream > begun) break
      // Until it is put aside or ends it has the thread to itself; the ends of those before it are
      // on their way here.
      if (!assignment.shares || at === null || (at.shares && assignment.turn < at.turn))
        at = assignment
    }
    return at === null ? [] : [at]
  }

  /** No more requests; it leaves when it has none. */
  leave(): void {
    if (this.state === 'gone') return
    if (this.state === 'starting') return this.kill('it was not needed any more')
    this.state = 'leaving'
    this.#leaveWhenDone()
  }

  /** Raises in the application that works on it; see {@link WorkerHandle.interrupt}. */
  interrupt(assignment: Assignment): boolean {
    return this.#handle.interrupt(assignment.stream)
  }

  /** Where it stands while it loads the application; see {@link WorkerHandle.where}. */
  where(): Promise<Whereabouts> {
    return this.#handle.where()
  }

  /**
   * It does not come to serve: it is ended, and that is our doing. With `stacks` its Python stacks
   * are seen.
   */
  giveUpLoading(reason: string, stacks: boolean): void {
    if (this.state !== 'starting') return
    this.expected = true
    if (stacks) return this.abort(reason)
    this.state = 'condemned'
    this.kill(reason)
  }

  /** Ends it so that its Python stacks are seen. */
  abort(reason: string): void {
    if (this.state === 'gone' || this.#killReason !== null) return
    this.state = 'condemned'
    this.#killReason = reason
    if (!this.#greenlets) return this.#handle.abort()
    // A thread of its own shows them, when the interpreter lets it.
    this.#sendControl(PRINT_STACKS, 0)
    setTimeout(() => {
      if (this.state === 'condemned') this.#handle.abort()
    }, SHOW_MS)
  }

  kill(reason: string): void {
    this.#killReason ??= reason
    this.#handle.kill()
  }

  #leaveWhenDone(): void {
    if (this.state !== 'leaving' || this.assignments.size > 0 || this.#stopSent) return
    this.#stopSent = true
    this.#sendControl(STOP, 0)
  }

  /**
   * Never ahead of the requests before it: a worker that hears of one it has not been given takes
   * us for broken, and leaves.
   */
  #sendControl(type: number, stream: number, payload: Buffer | null = null): void {
    this.#writer.flush()
    if (this.#handle.pid !== 0) this.#handle.sendControl(encodeFrame(type, stream, payload))
  }

  // ---------------------------------------------------------------- from the worker

  received(take: () => void): void {
    this.#ended = 0
    try {
      take()
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#listener.log(this, 40, `Worker broke the protocol and is ended: ${error.message}`)
      this.kill('it broke the protocol')
      this.#handle.channel.destroy()
      return
    }
    if (this.#ended > 0) this.#moved()
  }

  #moved(): void {
    const now = performance.now()
    this.service += ((now - this.movedAt) / this.#ended - this.service) * NEWEST
    this.movedAt = now
    this.stuck = false
    if (this.state === 'leaving') this.#leaveWhenDone()
    this.#listener.progressed(this)
  }

  frame(frame: Frame): boolean {
    const { type, stream } = frame
    if (stream === 0) {
      this.#ownFrame(frame)
      return false
    }
    const assignment = this.assignments.get(stream)
    if (type === HEAD && assignment !== undefined) return this.#headFrame(assignment, frame)
    if (type === LOG) {
      this.#logFrame(frame.payload)
      return false
    }
    if (assignment === undefined)
      throw new FrameError(`a frame about stream ${stream}, which it does not have`)
    if (type === DATA) return this.#dataFrame(assignment, frame)
    this.#otherFrame(assignment, frame)
    return false
  }

  #headFrame(assignment: Assignment, { flags, payload }: Frame): boolean {
    const { bytes, start, end } = payload
    if (assignment.headSent || end - start < 4) throw new FrameError('a HEAD that cannot be')
    assignment.headSent = true
    const headStart = start + 4
    const headEnd = headStart + readU32(bytes, start)
    if (headEnd > end) throw new FrameError('a HEAD that is longer than its frame')
    const last = flags === LAST
    this.#answering++
    if (last) this.#release(assignment)
    else this.#spend(assignment, end - headEnd)
    if (assignment.settled) return false
    if (last) assignment.settled = true
    this.#head.set(bytes, headStart, headEnd)
    payload.start = headEnd
    const outcome = assignment.task.responseHead(this.#head, payload, last)
    this.#head.clear()
    if (outcome === REFUSED && !last) {
      assignment.settled = true
      this.cancel(assignment)
    }
    return outcome === KEPT
  }

  #dataFrame(assignment: Assignment, { flags, payload }: Frame): boolean {
    const { task } = assignment
    if (!assignment.headSent) throw new FrameError('DATA before HEAD')
    const { length } = payload
    if (flags === LAST) this.#release(assignment)
    else this.#spend(assignment, length)
    if (assignment.settled) return false
    const kept = length > 0 && task.responseData(payload)
    if (flags === LAST) {
      assignment.settled = true
      task.responseEnd(false)
    }
    return kept
  }

  #otherFrame(assignment: Assignment, { type, flags, payload }: Frame): void {
    const { task } = assignment
    switch (type) {
      case END:
        if (payload.length > 0) throw new FrameError('an END with a payload')
        this.#release(assignment)
        if (assignment.settled) return
        assignment.settled = true
        if (assignment.headSent) task.responseEnd(flags === BROKEN)
        else task.lost(502, `worker ${this.pid} gave no response`)
        return
      case FILE: {
        if (!assignment.headSent) throw new FrameError('FILE before HEAD')
        const reference = fileReference(utf8(payload))
        this.#release(assignment)
        if (assignment.settled) return
        assignment.settled = true
        task.responseFile(reference)
        return
      }
      case FAIL:
        this.#release(assignment)
        if (assignment.settled) return
        assignment.settled = true
        task.failed(utf8(payload))
        return
      case BODY_WINDOW:
        if (payload.length !== 4) throw new FrameError('a BODY_WINDOW that is not four bytes')
        assignment.activeAt = performance.now()
        if (!assignment.settled) task.wantBody(readU32(payload.bytes, payload.start))
        return
      case SUSPENDED:
        if (payload.length !== 4) throw new FrameError('a SUSPENDED that is not four bytes')
        if (!assignment.settled) task.held(readU32(payload.bytes, payload.start))
        // Something has moved, and others have had or will have their turn.
        this.#ended++
        if (assignment.suspended) return
        if (!assignment.shares) {
          assignment.shares = true
          this.#sharing++
        }
        // Credit that is on its way to it brings it back by itself.
        assignment.turn = performance.now()
        if (assignment.credit > 0) return
        assignment.suspended = true
        this.#sharing--
        this.load--
        return
      default:
        throw new FrameError(`frame type 0x${type.toString(16)} is not about a stream`)
    }
  }

  #ownFrame({ type, payload }: Frame): void {
    switch (type) {
      case READY: {
        const said = parseJson(utf8(payload)) as Record<string, unknown> | null
        const { protocol, pid, python, implementation } = said ?? {}
        if (protocol !== PROTOCOL)
          throw new FrameError(`it speaks protocol ${protocol}, not ${PROTOCOL}`)
        if (
          typeof pid !== 'number' ||
          typeof python !== 'string' ||
          typeof implementation !== 'string'
        )
          throw new FrameError('a READY that does not say what is ready')
        if (this.info !== null) throw new FrameError('READY for the second time')
        this.info = { pid, python, implementation }
        this.#greenlets = said?.greenlets === true
        if (this.state !== 'starting') return // it is to go
        this.state = 'serving'
        this.readyAt = performance.now()
        this.#listener.ready(this)
        return
      }
      case FAIL:
        this.#listener.loadFailed(this, utf8(payload))
        return
      case RETURNED: {
        const { bytes, start, end } = payload
        if ((end - start) % 4 !== 0) throw new FrameError('a RETURNED that is no list of streams')
        // Looked at before any is taken: what a broken frame names is still to be answered.
        const named = new Set<Assignment>()
        for (let at = start; at < end; at += 4) {
          const assignment = this.assignments.get(readU32(bytes, at))
          if (assignment === undefined || assignment.headSent || named.has(assignment))
            throw new FrameError('RETURNED what it does not have')
          named.add(assignment)
        }
        this.#takeBack([...named])
        return
      }
      case LOG:
        this.#logFrame(payload)
        return
      case STACKS:
        this.#handle.stands(utf8(payload))
        return
      case VIOLATION:
        this.#violationFrame(parseJson(utf8(payload)))
        return
      default:
        throw new FrameError(`frame type 0x${type.toString(16)} about no stream`)
    }
  }

  #takeBack(assignments: readonly Assignment[]): void {
    const returned: Assignment[] = []
    for (const assignment of assignments) {
      if (this.assignments.get(assignment.stream) !== assignment) continue // it ended meanwhile
      this.#release(assignment)
      this.#ended-- // it answered nothing
      this.taken--
      if (!assignment.settled) returned.push(assignment)
    }
    if (returned.length > 0) this.#listener.returned(this, returned)
    this.#leaveWhenDone()
  }

  #logFrame({ bytes, start, end }: Span): void {
    if (end === start) throw new FrameError('a LOG without a level')
    this.#listener.log(this, bytes[start], bytes.toString('utf8', start + 1, end))
  }

  #violationFrame(value: unknown): void {
    const { rule, text } = (value ?? {}) as Record<string, unknown>
    if (typeof rule !== 'string' || typeof text !== 'string')
      throw new FrameError('a VIOLATION without rule or text')
    this.#listener.violation(this, rule, text)
  }

  /** The worker is done with it. */
  #release(assignment: Assignment): void {
    if (!assignment.suspended) {
      this.load--
      if (assignment.shares) this.#sharing--
    }
    if (assignment.headSent) this.#answering--
    assignment.open = false
    assignment.worker = null
    this.assignments.delete(assignment.stream)
    assignment.release()
    this.#ended++
  }

  #spend(assignment: Assignment, bytes: number): void {
    if (bytes > assignment.credit) throw new FrameError('more response body than it has credit for')
    assignment.activeAt = performance.now()
    assignment.credit -= bytes
  }

  // ---------------------------------------------------------------- its end

  dataClosed(): void {
    this.#dataClosed = true
    if (this.#exitReason !== null) this.#finish()
    else if (this.#killReason === null) {
      // It can do nothing without its channel; usually its end is on its way.
      setTimeout(() => this.kill('it closed its data channel'), LAST_WORDS_MS).unref()
    }
  }

  exited(reason: string): void {
    if (this.#exitReason !== null) return
    this.#exitReason = this.#killReason === null ? reason : `${reason}: ${this.#killReason}`
    if (this.#dataClosed || this.pid === 0) this.#finish()
    else setTimeout(() => this.#finish(), LAST_WORDS_MS)
  }

  exhausted(why: string): void {
    this.#listener.exhausted(this, why)
  }

  output(stream: 'stdout' | 'stderr', chunk: Buffer | null): void {
    this.#listener.output(this, stream, chunk)
  }

  #finish(): void {
    if (this.#finished) return
    this.#finished = true
    this.state = 'gone'
    const begun = this.#handle.begun()
    this.#handle.dispose()
    const unbegun: Assignment[] = []
    for (const assignment of this.assignments.values()) {
      assignment.open = false
      assignment.worker = null
      assignment.release()
      if (assignment.settled) continue
      if (assignment.stream > begun) {
        unbegun.push(assignment)
      } else {
        assignment.settled = true
        assignment.task.lost(
          502,
          `worker ${this.pid} ended while it ran this request (${this.#exitReason})`,
        )
      }
    }
    this.assignments.clear()
    this.load = 0
    this.#sharing = 0
    this.#listener.exited(this, this.#exitReason!, unbegun)
  }
}

function startMessage(options: WorkerOptions): object {
  return {
    application: options.application,
    chdir: options.chdir,
    pythonpath: options.pythonpath,
    threads: options.threads,
    window: options.window,
    graceful_timeout: options.gracefulTimeout,
    environ: options.environ,
    multiprocess: options.multiprocess,
    strict: options.strict,
  }
}

function utf8({ bytes, start, end }: Span): string {
  return bytes.toString('utf8', start, end)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new FrameError('a payload that is not JSON')
  }
}

function fileReference(text: string): FileReference {
  const value = parseJson(text) as Record<string, unknown> | null
  const { path, device, inode, offset, length } = value ?? {}
  const numbers = [device, inode, offset, length]
  if (
    typeof path !== 'string' ||
    // Inode numbers may be over 2^53; rounded, they still equal what node's stat() rounds.
    !numbers.every((number) => Number.isInteger(number) && (number as number) >= 0) ||
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length)
  ) {
    throw new FrameError('a FILE that names no part of a file')
  }
  return { path, device, inode, offset, length } as FileReference
}
