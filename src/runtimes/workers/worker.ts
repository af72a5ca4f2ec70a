import type { Span } from '../../bytes/span.ts'
import { type Coded, coded, fromElsewhere } from '../../messages/coded.ts'
import type { LentSocket } from '../../transport/lent-socket.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import type { StackReport } from '../load-watch.ts'
import type { MemoryUse } from '../recycling.ts'
import { AssignedRequests } from './assigned-requests.ts'
import type { Assignment } from './assignment.ts'
import type { AssignmentTable } from './assignment-table.ts'
import { assignmentsAtWork } from './at-work.ts'
import { type Frame, FrameDecoder, type FrameSink } from './frame-decoder.ts'
import { FrameWriter } from './frame-writer.ts'
import {
  ABORT,
  BODY,
  BODY_FILE,
  BODY_STREAM,
  CANCEL,
  DECLINE,
  encodeFrame,
  FAIL,
  FILES,
  FINDINGS,
  FrameError,
  INFORM,
  INSPECT,
  INTERRUPT,
  LAST,
  LEND,
  LOG,
  PRINT_STACKS,
  PRINTED,
  READY,
  RECALL,
  REQUEST,
  RETURNED,
  STACKS,
  START,
  STOP,
  VIOLATION,
  WINDOW,
  writeU32,
} from './frames.ts'
import { GreenletLookahead } from './greenlet-lookahead.ts'
import { ERROR } from './log-levels.ts'
import { Lookahead } from './lookahead.ts'
import {
  type ReadyPayload,
  readFiles,
  readReady,
  readStreams,
  readText,
  readViolation,
} from './payloads.ts'
import { ResponseFrames } from './response-frames.ts'
import { WorkerEnd } from './worker-end.ts'
import type { WorkerHandle, WorkerListener } from './worker-handle.ts'
import { type Findings, type InspectionQuestion, WorkerInspections } from './worker-inspections.ts'
import {
  capacityOf,
  startPayload,
  type WorkerCapacity,
  type WorkerOptions,
} from './worker-options.ts'

/** Called by a {@link Worker} about itself: its pool. */
export interface WorkerOwner {
  /** Called for each change of {@link Worker.state} except the last: {@link exited} follows. */
  stateChanged(worker: Worker, before: WorkerState): void
  /** The application could not be loaded; the worker is about to exit. */
  loadFailed(worker: Worker, text: Coded): void
  /** Some exchanges ended: there is space for others. */
  progressed(worker: Worker): void
  /** The worker gave these back before it began them, in order. */
  returned(worker: Worker, assignments: Assignment[]): void
  /** The worker is gone and everything it had sent was read. It had not begun `unbegun`. */
  exited(worker: Worker, reason: string, unbegun: Assignment[]): void
  /** The worker should be replaced; `why` as in {@link WorkerListener.exhausted}. */
  exhausted(worker: Worker, why: string): void
  output(worker: Worker, stream: 'stdout' | 'stderr', chunk: Buffer | null): void
  /** `stream` is that of the request that the entry is about; 0 for none. */
  log(worker: Worker, level: number, text: Coded, stream?: number): void
  /** The application violated a rule and was served anyway. To be logged once for each rule. */
  violation(worker: Worker, rule: string, text: Coded): void
  /** The paths of modules that the application has imported while it served. */
  filesLoaded(files: readonly string[]): void
}

/**
 * - starting: its process or thread is being started
 * - loading: it loads the application
 * - serving: it takes requests
 * - leaving: it takes no more requests, and ends when it has none
 * - condemned: it is being killed, as soon as its other requests allow
 * - gone: it has ended
 */
export type WorkerState = 'starting' | 'loading' | 'serving' | 'leaving' | 'condemned' | 'gone'

/**
 * How long a worker has to print the stacks of its greenlets before it is aborted, in milliseconds.
 * Only one that never releases the interpreter's lock takes so long.
 */
const PRINT_STACKS_MS = 2000

/** One worker and the requests it has been given. It speaks `docs/reference/frames.md`. */
export class Worker implements FrameSink, WorkerListener {
  readonly decoder: FrameDecoder
  readonly lookahead: Lookahead
  /** How many it has been given and has not given back. */
  taken = 0
  /** Requests after which it is recycled; Infinity for never. */
  retireAfter = Number.POSITIVE_INFINITY
  /** When it began to serve, in milliseconds of `performance.now()`. */
  readyAt = Number.POSITIVE_INFINITY
  info: ReadyPayload | null = null
  /** Its successor is being started. */
  recycling = false
  /** What its application was told. */
  readonly multiprocess: boolean
  /** The pool has told it to end. */
  expected = false
  /** How many workers the server had started with it; null if nobody counts them. */
  age: number | null = null

  readonly #options: WorkerOptions
  readonly #owner: WorkerOwner
  readonly #end: WorkerEnd
  readonly #cancelStart = new AbortController()
  #state: WorkerState = 'starting'
  /** Null until its process or thread has been started. */
  #handle: WorkerHandle | null = null
  /** Set together with the handle; nothing is written before. */
  #writer!: FrameWriter
  readonly #capacity: WorkerCapacity
  readonly #requests: AssignedRequests
  readonly #responses: ResponseFrames
  /** Null until it is inspected. */
  #inspections: WorkerInspections | null = null
  #nextStream = 1
  #stopSent = false
  /** Set when it was asked to print its stacks: aborts it if it does not. */
  #printing: NodeJS.Timeout | null = null

  constructor(options: WorkerOptions, owner: WorkerOwner) {
    this.#options = options
    this.multiprocess = options.multiprocess
    this.#owner = owner
    this.decoder = new FrameDecoder(this)
    const capacity = capacityOf(options)
    this.#capacity = capacity
    const { threads, cooperative } = capacity
    this.lookahead = cooperative
      ? new GreenletLookahead(threads, (now) => this.#waitsToBegin(now))
      : new Lookahead(threads)
    this.#requests = new AssignedRequests(this.lookahead, capacity)
    this.#responses = new ResponseFrames(this, this.#requests)
    this.#end = new WorkerEnd({
      finish: (reason) => this.#finish(reason),
      kill: (reason) => this.kill(reason),
    })
  }

  /**
   * Starts its process or thread.
   * @param number which one of the pool's workers it is
   */
  async start(number: number): Promise<void> {
    const { start, loaded, application, chdir, background = false, hooks } = this.#options
    const { signal } = this.#cancelStart
    let handle: WorkerHandle
    try {
      // As in Gunicorn, pre_fork is called when the application is loaded.
      if (loaded !== undefined) await loaded(signal)
      if (hooks !== undefined) {
        this.age = await hooks.permit()
        if (signal.aborted) throw new Error('it was not needed any more')
      }
      handle = await start(this, { number, application, chdir, background, signal })
    } catch (error) {
      // A process that was to be forked could not load the application.
      if (error instanceof ApplicationLoadError) this.#owner.loadFailed(this, error.message)
      this.#end.exited(`could not be started: ${(error as Error).message}`, false)
      return
    }
    this.#handle = handle
    this.#writer = new FrameWriter(handle.channel)
    // It may have become unwanted in the meantime.
    if (this.#end.isForced) return handle.kill()
    const lend = (handle.sockets ?? null) !== null
    const payload = JSON.stringify(startPayload(this.#options, this.age ?? 0, lend))
    this.#sendControl(START, 0, Buffer.from(payload))
    this.#become('loading')
  }

  get state(): WorkerState {
    return this.#state
  }

  /** It does not serve yet. */
  get isStarting(): boolean {
    return this.#state === 'starting' || this.#state === 'loading'
  }

  /** Exchanges it has not ended, in the order in which it begins them. */
  get assignments(): AssignmentTable {
    return this.#requests.byStream
  }

  /** How many of them keep a thread busy or wait for one. */
  get load(): number {
    return this.#requests.load
  }

  get crowded(): boolean {
    return this.#requests.crowded
  }

  /** What it is called in logs; 0 until its process or thread has been started. */
  get pid(): number {
    return this.#handle?.pid ?? 0
  }

  /** How many more requests it may be given now. */
  get space(): number {
    const { load, sharing } = this.#requests
    return this.#state === 'serving' ? this.lookahead.space(load, sharing) : 0
  }

  /** The one place where the state changes. */
  #become(state: WorkerState): void {
    const before = this.#state
    if (state === before) return
    this.#state = state
    if (state !== 'gone') this.#owner.stateChanged(this, before)
  }

  // ---------------------------------------------------------------- to the worker

  assign(assignment: Assignment, now: number): void {
    const { task } = assignment
    const stream = this.#nextStream++
    assignment.worker = this
    assignment.stream = stream
    assignment.credit = this.#options.window
    assignment.activeAt = now
    const { times } = task
    if (times) {
      times.assigned = now
      times.begun = this.#requests.load < this.#capacity.threads ? now : 0
    }
    this.#requests.add(assignment, now)
    this.taken++

    const { bytes, at } = this.#writer.begin(REQUEST, stream, task.environBound() + 4)
    const end = task.writeEnviron(bytes, at + 4)
    writeU32(bytes, at, end - at - 4)
    const { body } = task
    if (body.kind === 'whole') {
      this.#writer.end(end, 0, body.chunks, body.owner ?? null)
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
    this.#requests.grant(assignment, bytes)
    this.#writer.writeU32(WINDOW, assignment.stream, bytes)
  }

  lend(assignment: Assignment, { socket, before }: LentSocket): boolean {
    const head = Buffer.from(before, 'latin1')
    const frame = encodeFrame(LEND, assignment.stream, head).toString('latin1')
    return this.#handle?.sockets?.pass(socket, frame) ?? false
  }

  decline(assignment: Assignment): void {
    this.#requests.resume(assignment)
    this.#writer.write(DECLINE, assignment.stream)
  }

  /**
   * Takes back what it has not begun, or asks for it. The worker also sends what it has finished.
   */
  recall(): void {
    this.lookahead.recalled(performance.now())
    const begun = this.#handle?.takeBack(this.#nextStream - 1) ?? null
    if (begun === null) {
      this.#sendControl(RECALL, 0)
      return
    }
    const unbegun = [...this.assignments].filter(({ stream }) => stream > begun)
    // Later, like an answer to RECALL: the caller is looking at its workers.
    if (unbegun.length > 0) queueMicrotask(() => this.#takeBack(unbegun))
  }

  /**
   * Whose applications have had a thread since before `limit` (of `performance.now()`) and given
   * nothing. Those that may wait for their clients, without credit, are not among them.
   */
  silentSince(limit: number): Assignment[] {
    // Its only thread finished something else after that.
    if (this.#options.threads === 1 && this.lookahead.movedAt > limit) return []
    return this.atWork().filter(({ credit, activeAt }) => credit > 0 && activeAt <= limit)
  }

  /** Whether one of its threads works on that assignment, as far as the acceptor can know. */
  isAt(assignment: Assignment): boolean {
    return this.atWork().includes(assignment)
  }

  /**
   * Whether it has not begun a request since before `limit`, although nothing that the acceptor
   * knows of keeps it from that: its process hangs between requests, or is stopped.
   */
  hangsSince(limit: number): boolean {
    const { threads, cooperative } = this.#capacity
    // Of several threads, one may hang: what it was given counts as being at work.
    if (threads > 1 && !cooperative) return false
    if (this.assignments.size === 0 || this.lookahead.movedAt > limit) return false
    const begun = this.#handle?.begun() ?? 0
    const waits = [...this.assignments].some(
      ({ stream, activeAt }) => stream > begun && activeAt <= limit,
    )
    return waits && (cooperative || this.atWork().length === 0)
  }

  /** Those that its threads work on, as far as the acceptor can know. */
  atWork(): Assignment[] {
    const begun = () => this.#handle?.begun() ?? 0
    return assignmentsAtWork(this.assignments, this.#capacity, begun)
  }

  /** How long the first request that it has not begun has waited for that, in milliseconds. */
  #waitsToBegin(now: number): number {
    const begun = this.#handle?.begun() ?? 0
    for (let stream = begun + 1; stream < this.#nextStream; stream++) {
      const assignment = this.assignments.get(stream)
      if (assignment !== undefined) return now - assignment.activeAt
    }
    return 0
  }

  /** Whether it runs its requests in greenlets of one thread. */
  get cooperative(): boolean {
    return this.#capacity.cooperative
  }

  /** Raises in the application that works on it; see {@link WorkerHandle.interrupt}. */
  interrupt(assignment: Assignment): boolean {
    if (this.#capacity.cooperative) {
      this.#sendControl(INTERRUPT, assignment.stream)
      return true
    }
    return this.#handle?.interrupt(assignment.stream) ?? false
  }

  /** Where it is while it loads the application; see {@link WorkerHandle.reportStack}. */
  async reportStack(): Promise<StackReport> {
    if (this.#handle !== null) return await this.#handle.reportStack()
    return { text: 'Its process has not been started yet.', isStack: false }
  }

  /** See {@link WorkerHandle.memoryUse}. */
  async memoryUse(): Promise<MemoryUse | null> {
    return (await this.#handle?.memoryUse()) ?? null
  }

  /**
   * Asks it for a profile or the like, if it serves. It never rejects.
   *
   * @param early ends it before its time
   */
  async inspect(question: InspectionQuestion, early: AbortSignal): Promise<Findings> {
    this.#inspections ??= new WorkerInspections()
    const inspections = this.#inspections
    let asked = 0
    const end = () => {
      if (!inspections.awaits(asked)) return
      const handle = this.#handle
      if (handle?.inspect !== undefined) handle.endInspection?.(asked)
      else this.#sendControl(INSPECT, 0, Buffer.from(JSON.stringify({ what: 'stop', id: asked })))
    }
    early.addEventListener('abort', end)
    const findings = await inspections.ask(question, (id) => {
      asked = id
      const handle = this.#handle
      if (handle?.inspect !== undefined) return handle.inspect(id, question)
      this.#sendControl(INSPECT, 0, Buffer.from(JSON.stringify({ id, ...question })))
      return null
    })
    early.removeEventListener('abort', end)
    return findings
  }

  /** Has it log where that request is, if its application still works on it. */
  logStack(assignment: Assignment, seconds: number): void {
    if (this.#handle?.showStack?.(assignment.stream, seconds) === true) return
    const question = { what: 'stack', stream: assignment.stream, seconds }
    this.#sendControl(INSPECT, 0, Buffer.from(JSON.stringify(question)))
  }

  // ---------------------------------------------------------------- ending it

  /** It gets no more requests, and ends when it has none. */
  leave(): void {
    if (this.#state === 'gone' || this.#end.isForced) return
    if (this.isStarting) return this.kill('it was not needed any more')
    this.#become('leaving')
    this.#leaveWhenDone()
  }

  /** One of its requests ran out of time: it gets no more, and is to be aborted. */
  condemn(): void {
    if (this.#state === 'serving') this.#become('condemned')
  }

  /** Ends it before it serves. With `stacks`, its Python stacks are printed. */
  giveUpLoading(reason: string, stacks: boolean): void {
    if (!this.isStarting) return
    this.expected = true
    if (stacks) return this.abort(reason)
    this.kill(reason)
  }

  /** Ends it, after its Python stacks were printed. */
  abort(reason: string): void {
    if (this.#state === 'gone' || this.#end.isForced) return
    this.#end.force(reason)
    this.#become('condemned')
    const handle = this.#handle
    if (handle === null) return this.#cancelStart.abort()
    if (this.info?.greenlets !== true) return handle.abort()
    // One of its own threads prints them, if the interpreter lets it.
    this.#sendControl(PRINT_STACKS, 0)
    this.#printing = setTimeout(() => this.#abortPrinted(), PRINT_STACKS_MS)
  }

  /** It has printed the stacks of its greenlets, or cannot. */
  #abortPrinted(): void {
    clearTimeout(this.#printing ?? undefined)
    if (this.#state === 'condemned') this.#handle?.abort()
  }

  /** Ends it at once. */
  kill(reason: string): void {
    if (this.#state === 'gone') return
    this.#end.force(reason)
    if (this.isStarting) this.#become('condemned')
    if (this.#handle === null) this.#cancelStart.abort()
    else this.#handle.kill()
  }

  #leaveWhenDone(): void {
    if (this.#state !== 'leaving' || this.assignments.size > 0 || this.#stopSent) return
    this.#stopSent = true
    this.#sendControl(STOP, 0)
  }

  /**
   * Sends what waits on the data channel first: a frame about a request that the worker has not got
   * would break the protocol.
   */
  #sendControl(type: number, stream: number, payload: Buffer | null = null): void {
    this.#writer.flush()
    this.#handle?.sendControl(encodeFrame(type, stream, payload))
  }

  // ---------------------------------------------------------------- from the worker

  received(take: () => void): void {
    this.#requests.moved = 0
    try {
      take()
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#owner.log(
        this,
        ERROR,
        coded('MONO5005', `Killing the worker: it broke the protocol: ${error.message}`),
      )
      this.kill('it broke the protocol')
      this.#handle?.channel.destroy()
      return
    }
    if (this.#requests.moved > 0) this.#progress()
  }

  #progress(): void {
    this.lookahead.finish(this.#requests.moved, performance.now())
    if (this.#state === 'leaving') this.#leaveWhenDone()
    this.#owner.progressed(this)
  }

  frame(frame: Frame): boolean {
    const { type, stream } = frame
    if (stream === 0) {
      this.#ownFrame(frame)
      return false
    }
    const assignment = this.#requests.byStream.get(stream)
    if (type === LOG) {
      this.#logFrame(frame.payload, stream)
      return false
    }
    if (assignment === undefined) {
      // Another thread of the application may have ended the exchange at the same time.
      if (type === INFORM && stream < this.#nextStream) return false
      throw new FrameError(`a frame about stream ${stream}, which it does not have`)
    }
    return this.#responses.frame(assignment, frame)
  }

  #ownFrame({ type, payload }: Frame): void {
    switch (type) {
      case READY:
        if (this.info !== null) throw new FrameError('a second READY')
        this.info = readReady(payload)
        if (this.#state !== 'loading') return // it is being ended
        this.readyAt = performance.now()
        this.#become('serving')
        return
      case FAIL:
        this.#owner.loadFailed(this, fromElsewhere(readText(payload)))
        return
      case RETURNED:
        this.#returnedFrame(readStreams(payload))
        return
      case LOG:
        this.#logFrame(payload)
        return
      case STACKS:
        this.#handle?.stacksReceived(readText(payload))
        return
      case FILES:
        this.#owner.filesLoaded(readFiles(payload))
        return
      case FINDINGS:
        if (this.#inspections === null) throw new FrameError('FINDINGS that nobody has asked for')
        this.#inspections.received(payload)
        return
      case PRINTED:
        if (this.#printing === null) throw new FrameError('a PRINTED that nobody has asked for')
        this.#abortPrinted()
        return
      case VIOLATION: {
        const { rule, text } = readViolation(payload)
        this.#owner.violation(this, rule, fromElsewhere(text))
        return
      }
      default:
        throw new FrameError(`frame type 0x${type.toString(16)} without a stream`)
    }
  }

  #returnedFrame(streams: readonly number[]): void {
    // All are checked before any is taken: what a broken frame names must still be answered.
    const named = new Set<Assignment>()
    for (const stream of streams) {
      const assignment = this.assignments.get(stream)
      if (assignment === undefined || assignment.headSent || named.has(assignment))
        throw new FrameError(`RETURNED of stream ${stream}, which it does not have`)
      named.add(assignment)
    }
    this.#takeBack([...named])
  }

  #takeBack(assignments: readonly Assignment[]): void {
    const returned: Assignment[] = []
    for (const assignment of assignments) {
      // It may have ended in the meantime.
      if (this.assignments.get(assignment.stream) !== assignment) continue
      this.#requests.takeBack(assignment)
      this.taken--
      if (!assignment.settled) returned.push(assignment)
    }
    if (returned.length > 0) this.#owner.returned(this, returned)
    this.#leaveWhenDone()
  }

  #logFrame({ bytes, start, end }: Span, stream = 0): void {
    if (end === start) throw new FrameError('a LOG without a level')
    const text = bytes.toString('utf8', start + 1, end)
    this.#owner.log(this, bytes[start], fromElsewhere(text), stream)
  }

  dataClosed(): void {
    this.#end.channelClosed()
  }

  exited(reason: string): void {
    this.#end.exited(reason, true)
  }

  exhausted(why: string): void {
    this.#owner.exhausted(this, why)
  }

  output(stream: 'stdout' | 'stderr', chunk: Buffer | null): void {
    this.#owner.output(this, stream, chunk)
  }

  #finish(reason: string): void {
    this.#become('gone')
    this.#inspections?.end(`it ended in the meantime (${reason})`)
    const begun = this.#handle?.begun() ?? 0
    this.#handle?.dispose()
    const unbegun: Assignment[] = []
    for (const assignment of this.#requests.removeAll()) {
      if (assignment.settled) continue
      if (assignment.stream > begun) {
        unbegun.push(assignment)
      } else {
        assignment.settled = true
        const text = `worker ${this.pid} ended while it ran this request (${reason})`
        assignment.task.lost(502, text)
      }
    }
    this.#owner.exited(this, reason, unbegun)
  }
}
