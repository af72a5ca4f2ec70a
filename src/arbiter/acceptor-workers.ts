/** The workers of one acceptor, as their events tell. */
import type { WorkerEvent } from '../acceptor/messages.ts'
import type { ArbiterEvents } from '../observe/arbiter-events.ts'

/** Publishes the events of an acceptor's workers as events of the arbiter. */
export class AcceptorWorkers {
  readonly #acceptor: number
  readonly #events: ArbiterEvents
  /** Those that were started and have not ended. */
  readonly #pids = new Set<number>()

  /** @param acceptor the process of the acceptor */
  constructor(acceptor: number, events: ArbiterEvents) {
    this.#acceptor = acceptor
    this.#events = events
  }

  publish({ topic, ...event }: WorkerEvent): void {
    if (topic === 'workerStarted') this.#pids.add(event.pid)
    if (topic === 'workerEnded') this.#pids.delete(event.pid)
    // The topic names the type of its event.
    const publish = (event: object) => this.#events[topic].publish(event as never)
    publish({ ...event, acceptor: this.#acceptor })
  }

  /**
   * The acceptor and all of its processes are gone. One that was killed has not told of the end of
   * its workers.
   *
   * @param expected whether the arbiter had told it to stop
   * @param reason `Acceptor 4711 was killed by SIGKILL`
   */
  ended(expected: boolean, reason: string): void {
    for (const pid of this.#pids) {
      this.#events.workerEnded.publish({
        pid,
        acceptor: this.#acceptor,
        cause: expected ? 'stopped' : 'acceptor-ended',
        reason: `ended with its acceptor: ${reason}`,
      })
    }
    this.#pids.clear()
  }
}
