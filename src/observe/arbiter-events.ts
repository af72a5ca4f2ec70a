import { type ListenerFailed, Topic } from './topic.ts'

/** An acceptor process was started. */
export interface AcceptorStarted {
  readonly pid: number
}

/** An acceptor and its workers serve. */
export interface AcceptorReady {
  readonly pid: number
  /** Its Python workers; 0 for an application in TypeScript, which the acceptor runs itself. */
  readonly workers: number
}

/** An acceptor process ended. */
export interface AcceptorEnded {
  readonly pid: number
  /** Whether the arbiter had told it to stop. */
  readonly expected: boolean
  /** As in the log: `Acceptor 4711 was killed by SIGKILL`. */
  readonly reason: string
}

/**
 * A reload has begun or ended. After `failed` and `abandoned`, what served before stays in use;
 * `reason` has the cause.
 */
export type Reload =
  | { readonly phase: 'begun' | 'done' | 'abandoned' }
  | { readonly phase: 'failed'; readonly reason: string }

/** What happens to the acceptors of one server. */
export class ArbiterEvents {
  readonly acceptorStarted: Topic<AcceptorStarted>
  readonly acceptorReady: Topic<AcceptorReady>
  readonly acceptorEnded: Topic<AcceptorEnded>
  readonly reload: Topic<Reload>

  /** @param failed called when a listener throws */
  constructor(failed: ListenerFailed) {
    this.acceptorStarted = new Topic('acceptorStarted', failed)
    this.acceptorReady = new Topic('acceptorReady', failed)
    this.acceptorEnded = new Topic('acceptorEnded', failed)
    this.reload = new Topic('reload', failed)
  }
}
