/** Called for each event of a topic. */
export type Listener<Event> = (event: Event) => void

/** Called with the error that a listener threw. */
export type ListenerFailed = (topic: string, error: unknown) => void

/**
 * One kind of event, such as "a request has ended", and those who listen to it.
 *
 * Why not `node:diagnostics_channel`: its channels are global, so two servers in one process could
 * not be told apart, its events have no types, and an error in a listener ends the process. Both
 * cost the same: nothing that can be measured without a listener, about 20 ns an event with one.
 *
 * A publisher checks {@link hasListeners} first, so that it does not make an event object or read a
 * clock in vain.
 *
 * @example
 * const stop = events.requestEnded.subscribe(({ status }) => counts.add(status))
 * …
 * if (events.requestEnded.hasListeners) events.requestEnded.publish(makeRecord())
 * …
 * stop()
 */
export class Topic<Event> {
  readonly name: string
  /** Whether there is anybody to publish for. */
  hasListeners = false
  readonly #failed: ListenerFailed
  /** Never changed in place, because a listener may unsubscribe while an event is published. */
  #listeners: readonly Listener<Event>[] = []

  /** @param failed called when a listener throws; the publisher and other listeners go on */
  constructor(name: string, failed: ListenerFailed) {
    this.name = name
    this.#failed = failed
  }

  /** Calls `listener` for each event from now on. @returns a function that ends the subscription */
  subscribe(listener: Listener<Event>): () => void {
    // An entry of its own for each subscription: the same function may be subscribed twice.
    const entry: Listener<Event> = (event) => listener(event)
    this.#set([...this.#listeners, entry])
    return () => this.#set(this.#listeners.filter((other) => other !== entry))
  }

  /** Calls all listeners, in the order in which they subscribed. Never throws. */
  publish(event: Event): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (error) {
        this.#failed(this.name, error)
      }
    }
  }

  #set(listeners: readonly Listener<Event>[]): void {
    this.#listeners = listeners
    this.hasListeners = listeners.length > 0
  }
}
