import { Span } from '../../bytes/span.ts'
import type { LentSocket } from '../../transport/lent-socket.ts'
import { KEPT, REFUSED } from '../runtime.ts'
import type { AssignedRequests } from './assigned-requests.ts'
import type { Assignment } from './assignment.ts'
import type { Frame } from './frame-decoder.ts'
import {
  BODY_WINDOW,
  BROKEN,
  DATA,
  END,
  FAIL,
  FILE,
  FrameError,
  HEAD,
  INFORM,
  INTERRUPTED,
  LAST,
  OFFER,
  readU32,
  SENT,
  SUSPENDED,
} from './frames.ts'
import { readFileReference, readNumber, readOffer, readText } from './payloads.ts'

/**
 * How many bytes of early hints an exchange may send, and how many each INFORM counts in addition
 * to its payload. `python/monoceros/frames.py` has the same.
 */
const HINTS_SIZE = 64 * 1024
const HINTS_COST = 32

/** What {@link ResponseFrames} need of their worker. */
export interface RespondingWorker {
  readonly pid: number
  cancel(assignment: Assignment): void
  /** Lends it the client's socket. @returns false if that is not possible */
  lend(assignment: Assignment, lent: LentSocket): boolean
  /** It is to go on with frames. */
  decline(assignment: Assignment): void
}

/** Gives the frames about a stream to the task that they are for. */
export class ResponseFrames {
  readonly #worker: RespondingWorker
  readonly #requests: AssignedRequests
  /** The head of the response that is being passed on. */
  readonly #head = new Span()

  constructor(worker: RespondingWorker, requests: AssignedRequests) {
    this.#worker = worker
    this.#requests = requests
  }

  /**
   * @returns whether the memory of the payload is still needed
   * @throws FrameError if the worker may not send this frame
   */
  frame(assignment: Assignment, frame: Frame): boolean {
    if (frame.type === HEAD) return this.#headFrame(assignment, frame)
    if (assignment.offered > 0) this.#checkOffered(assignment, frame.type)
    if (frame.type === DATA) return this.#dataFrame(assignment, frame)
    this.#otherFrame(assignment, frame)
    return false
  }

  #headFrame(assignment: Assignment, { flags, payload }: Frame): boolean {
    const { bytes, start, end } = payload
    if (assignment.headSent) throw new FrameError('a second HEAD')
    if (end - start < 4) throw new FrameError('a HEAD that is too short')
    this.#requests.headSent(assignment)
    const headStart = start + 4
    const headEnd = headStart + readU32(bytes, start)
    if (headEnd > end) throw new FrameError('a HEAD that is longer than its frame')
    const last = flags === LAST
    assignment.task.times?.begin(this.#requests.movedAt)
    if (last) this.#requests.release(assignment)
    else this.#requests.spend(assignment, end - headEnd)
    if (assignment.settled) return false
    if (last) assignment.settled = true
    this.#head.set(bytes, headStart, headEnd)
    payload.start = headEnd
    const outcome = assignment.task.responseHead(this.#head, payload, last)
    this.#head.clear()
    if (outcome === REFUSED && !last) {
      assignment.settled = true
      this.#worker.cancel(assignment)
    }
    return outcome === KEPT
  }

  #dataFrame(assignment: Assignment, { flags, payload }: Frame): boolean {
    const { task } = assignment
    if (!assignment.headSent) throw new FrameError('DATA before HEAD')
    const { length } = payload
    if (flags === LAST) this.#requests.release(assignment)
    else this.#requests.spend(assignment, length)
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
        if (!this.#ends(assignment)) return
        if (assignment.headSent) task.responseEnd(flags === BROKEN)
        else task.lost(502, `worker ${this.#worker.pid} sent no response`)
        return
      case FILE: {
        if (!assignment.headSent) throw new FrameError('FILE before HEAD')
        const reference = readFileReference(payload)
        if (this.#ends(assignment)) task.responseFile(reference)
        return
      }
      case FAIL:
        if (this.#ends(assignment)) task.failed(readText(payload))
        return
      case BODY_WINDOW: {
        const bytes = readNumber(payload, 'BODY_WINDOW')
        assignment.activeAt = performance.now()
        if (!assignment.settled) task.wantBody(bytes)
        return
      }
      case SUSPENDED: {
        const held = readNumber(payload, 'SUSPENDED')
        if (!assignment.settled) task.held(held)
        this.#requests.suspend(assignment)
        return
      }
      case OFFER:
        this.#offerFrame(assignment, payload)
        return
      case SENT:
        this.#sentFrame(assignment, payload)
        return
      case INFORM:
        this.#informFrame(assignment, payload)
        return
      case INTERRUPTED:
        assignment.interrupted = true
        return
      default:
        throw new FrameError(`frame type 0x${type.toString(16)} is not about a stream`)
    }
  }

  /** What a worker may send about a stream while its offer is open. */
  #checkOffered({ settled }: Assignment, type: number): void {
    if (type === SENT || type === INFORM || (settled && type === END)) return
    throw new FrameError(`frame type 0x${type.toString(16)} between OFFER and SENT`)
  }

  #offerFrame(assignment: Assignment, payload: Span): void {
    if (!assignment.headSent) throw new FrameError('OFFER before HEAD')
    const { bytes: offered, held } = readOffer(payload)
    this.#requests.offer(assignment, offered)
    if (assignment.settled) return // a CANCEL is on its way
    const lent = assignment.task.offered?.(offered, held) ?? null
    assignment.lent = lent !== null && this.#worker.lend(assignment, lent)
    if (assignment.lent) {
      assignment.offered += lent!.before.length
      return
    }
    if (lent !== null) assignment.task.sent?.(0)
    this.#worker.decline(assignment)
  }

  #sentFrame(assignment: Assignment, payload: Span): void {
    const { offered, task } = assignment
    const sent = readNumber(payload, 'SENT')
    if (!assignment.lent) throw new FrameError('SENT without a socket')
    if (sent > offered) throw new FrameError('a SENT of more than it has offered')
    assignment.lent = false
    if (!assignment.settled) task.sent?.(sent)
    if (sent < offered && !assignment.settled) this.#worker.decline(assignment)
    else assignment.offered = 0
  }

  #informFrame(assignment: Assignment, payload: Span): void {
    assignment.informed += HINTS_COST + payload.length
    if (assignment.informed > HINTS_SIZE) throw new FrameError('more early hints than it may send')
    assignment.activeAt = performance.now()
    // Another thread of the application may have begun the response at the same time.
    if (!assignment.settled && !assignment.headSent) assignment.task.earlyHints(payload)
  }

  /** The worker is done with it. @returns whether its task still waits for the answer */
  #ends(assignment: Assignment): boolean {
    assignment.task.times?.begin(this.#requests.movedAt)
    this.#requests.release(assignment)
    if (assignment.settled) return false
    assignment.settled = true
    return true
  }
}
