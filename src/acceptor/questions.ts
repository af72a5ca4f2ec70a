/**
 * What the arbiter may ask an acceptor while it serves, and what it gets.
 *
 * A new question is an entry of {@link Questions} and one of `answers` in `acceptor.ts`; the
 * arbiter asks it with `ArbiterActions.ask`. Both are plain data: they go over the channel as
 * structured clones.
 */
import type { LogLevel } from '../logging/log-level.ts'
import type { Snapshot } from '../metrics/snapshot.ts'
import type {
  AcceptorState,
  ControlRequest,
  LogRecord,
  SlowRequest,
} from '../observe/server-state.ts'
import type { Keyed, MemoryRequest, ProfileRequest } from '../profile/requests.ts'
import type { WorkerReport } from '../runtimes/workers/pool.ts'
import type { HeapDetails, HeapPart } from './heap-snapshot.ts'
import type { MemoryAnswer, ProfileAnswer } from './inspections.ts'

/** By the name of a question: what is sent with it, and what comes back. */
export interface Questions {
  /** What it has counted, and what it has now; empty without `metrics_bind`. */
  readonly metrics: { readonly details: null; readonly answer: Snapshot }
  /** Its workers at this moment; none if the application runs in the acceptor itself. */
  readonly workers: { readonly details: null; readonly answer: readonly WorkerReport[] }
  /** The stacks of its application for some seconds. It takes that long, and a little longer. */
  readonly profile: { readonly details: ProfileRequest & Keyed; readonly answer: ProfileAnswer }
  /** Ends a profile, of stacks or memory, before its time. */
  readonly 'end-profile': { readonly details: Keyed; readonly answer: null }
  /** A snapshot of V8's heap, in parts. Null if another process is asked. */
  readonly heap: { readonly details: HeapDetails; readonly answer: HeapPart | null }
  /** Which lines of its application allocate memory that stays. It takes its seconds too. */
  readonly memory: { readonly details: MemoryRequest & Keyed; readonly answer: MemoryAnswer }
  /** What it and its workers are doing. */
  readonly state: {
    readonly details: null
    readonly answer: AcceptorState & { readonly slowRequests: readonly SlowRequest[] }
  }
  /** Requests that are not answered yet, the oldest first: at most `limit` of them. */
  readonly requests: {
    readonly details: { readonly limit: number }
    readonly answer: { readonly requests: readonly ControlRequest[]; readonly leftOut: number }
  }
  /** Replaces a worker; the answer is whether it has one with this pid that serves or starts. */
  readonly restart: {
    readonly details: { readonly pid: number; readonly why: string }
    readonly answer: boolean
  }
  /** Changes the level of the error log. */
  readonly 'log-level': { readonly details: { readonly level: LogLevel }; readonly answer: null }
  /** The newest entries of its error log; none without a control socket. */
  readonly log: {
    readonly details: { readonly errors: boolean }
    readonly answer: readonly LogRecord[]
  }
}

export type QuestionName = keyof Questions
export type Details<Name extends QuestionName> = Questions[Name]['details']
export type Answer<Name extends QuestionName> = Questions[Name]['answer']

/** How an acceptor answers. An error that is thrown is sent back as the reason. */
export type Answers = {
  readonly [Name in QuestionName]: (details: Details<Name>) => Answer<Name> | Promise<Answer<Name>>
}
