/** Does the same work for many callers: once at a time, and never with a result from before. */
export class SharedWork<Result> {
  readonly #work: () => Promise<Result>
  #running: Promise<unknown> | null = null
  #next: Promise<Result> | null = null

  constructor(work: () => Promise<Result>) {
    this.#work = work
  }

  /** The result of work that begins after this call. */
  next(): Promise<Result> {
    if (this.#running === null) return this.#run()
    this.#next ??= this.#running.then(() => {
      this.#next = null
      return this.#run()
    })
    return this.#next
  }

  #run(): Promise<Result> {
    const result = this.#work()
    const running: Promise<unknown> = result
      .catch(() => {})
      .then(() => {
        if (this.#running === running) this.#running = null
      })
    this.#running = running
    return result
  }
}
