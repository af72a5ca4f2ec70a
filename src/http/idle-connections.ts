import { type Deadlines, TICK_MS } from './deadlines.ts'

/** What {@link IdleConnections} keeps of a connection. Nobody else writes to these fields. */
export interface IdleMember<T extends IdleMember<T>> {
  idleBefore: T | null
  idleAfter: T | null
  /** Null while it is in no list: it is not idle, or has been taken. */
  idleIn: IdleList<T> | null
  /** On the clock of {@link Deadlines}. */
  idleSince: number
}

/**
 * Members in the order in which they became idle; a few writes to fields for each that comes or
 * goes.
 */
class IdleList<T extends IdleMember<T>> {
  size = 0
  first: T | null = null
  #last: T | null = null

  add(member: T): void {
    const last = this.#last
    member.idleIn = this
    member.idleBefore = last
    if (last === null) this.first = member
    else last.idleAfter = member
    this.#last = member
    this.size++
  }

  delete(member: T): void {
    const { idleBefore, idleAfter } = member
    if (idleBefore === null) this.first = idleAfter
    else idleBefore.idleAfter = idleAfter
    if (idleAfter === null) this.#last = idleBefore
    else idleAfter.idleBefore = idleBefore
    member.idleBefore = null
    member.idleAfter = null
    member.idleIn = null
    this.size--
  }
}

/**
 * How long a new connection is left alone, in milliseconds: two ticks of a clock that is late by up
 * to one. Its request is on its way; to close it without an answer is worse than to refuse another.
 * Not longer: silent connections must not be a way to keep others out.
 */
const GRACE_MS = 2 * TICK_MS

/**
 * The connections of a server that wait for a request, for finding those that have waited for
 * longest. A connection comes and goes with every request, so that costs a few writes, no clock and
 * no memory.
 */
export class IdleConnections<T extends IdleMember<T>> {
  readonly #clock: Pick<Deadlines, 'now'>
  /** Those that have had an answer … */
  readonly #kept = new IdleList<T>()
  /** … and those that have never sent anything. */
  readonly #silent = new IdleList<T>()

  constructor(clock: Pick<Deadlines, 'now'>) {
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size + this.#silent.size
  }

  /** A connection that waits for its next request. */
  add(connection: T): void {
    connection.idleSince = this.#clock.now
    this.#kept.add(connection)
  }

  /** A new connection. */
  addSilent(connection: T): void {
    connection.idleSince = this.#clock.now
    this.#silent.add(connection)
  }

  /**
   * Takes out the one that has been idle for longest, to be closed; null when there is none but
   * those that have just come.
   */
  take(): T | null {
    const kept = this.#kept.first
    const silent = this.#silent.first
    const due = silent !== null && this.#clock.now - silent.idleSince >= GRACE_MS
    const found = due && (kept === null || silent.idleSince <= kept.idleSince) ? silent : kept
    found?.idleIn?.delete(found)
    return found
  }
}
