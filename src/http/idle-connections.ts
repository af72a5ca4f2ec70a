import { type Deadlines, TICK_MS } from './deadlines.ts'

/** Fields of a connection that only {@link IdleConnections} writes. */
export interface IdleMember<T extends IdleMember<T>> {
  idleBefore: T | null
  idleAfter: T | null
  /** Null while it is in no list: it is not idle, or has been taken. */
  idleIn: IdleList<T> | null
  /** On the clock of {@link Deadlines}. */
  idleSince: number
}

/**
 * Members in the order in which they became idle. To add or remove one costs a few writes to
 * fields.
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
 * to one. Its request is on its way, and to close it without an answer is worse than to refuse
 * another one. It is not longer, because silent connections must not be a way to keep others out.
 */
export const GRACE_MS = 2 * TICK_MS

/**
 * The connections of a server that wait for a request, to find those that have waited longest. A
 * connection is added and removed with every request, which costs a few writes, no clock and no
 * memory.
 */
export class IdleConnections<T extends IdleMember<T>> {
  readonly #clock: Pick<Deadlines, 'now'>
  /** Connections that have had an answer … */
  readonly #kept = new IdleList<T>()
  /** … and connections that have never sent anything. */
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

  /** A connection that has sent nothing yet, and has had less than {@link GRACE_MS} for it. */
  isNew(connection: T): boolean {
    const { idleIn, idleSince } = connection
    return idleIn === this.#silent && this.#clock.now - idleSince < GRACE_MS
  }

  /**
   * Removes the connection that has been idle longest, so that it can be closed. Null if all of
   * them are new.
   */
  take(): T | null {
    const kept = this.#kept.first
    const silent = this.#silent.first
    const due = silent !== null && !this.isNew(silent)
    const found = due && (kept === null || silent.idleSince <= kept.idleSince) ? silent : kept
    found?.idleIn?.delete(found)
    return found
  }
}
