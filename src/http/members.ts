/**
 * Objects, each once, in no order. Adding and removing one costs a few writes, whatever their
 * number.
 *
 * Not a Set, for the same reason as `AssignmentTable` (`runtimes/workers/assignment-table.ts`):
 * after many additions and deletions, the abandoned tables of a Set keep each other and their
 * members from the garbage collector. Here each member knows its place: a field, which only this
 * class writes. It is -1 while the object is not a member.
 *
 * @example
 * class Guest {
 *   place = -1
 * }
 * const guests = new Members<'place', Guest>('place')
 */
export class Members<Field extends string, T extends Record<Field, number>> implements Iterable<T> {
  readonly #field: Field
  readonly #all: T[] = []

  /** @param field the field that holds a member's place */
  constructor(field: Field) {
    this.#field = field
  }

  get size(): number {
    return this.#all.length
  }

  has(member: T): boolean {
    return member[this.#field] >= 0
  }

  /** Adds an object that is not a member. */
  add(member: T): void {
    this.#put(member, this.#all.length)
  }

  /** Removes a member; an object that is not one is left alone. */
  delete(member: T): void {
    const place: number = member[this.#field]
    if (place < 0) return
    const last = this.#all.pop()!
    if (last !== member) this.#put(last, place)
    this.#setPlace(member, -1)
  }

  /** Those that are members now, except those that are removed before their turn. */
  *[Symbol.iterator](): Iterator<T> {
    for (const member of this.#all.slice()) if (this.has(member)) yield member
  }

  #put(member: T, place: number): void {
    this.#all[place] = member
    this.#setPlace(member, place)
  }

  #setPlace(member: Record<Field, number>, place: number): void {
    member[this.#field] = place as Record<Field, number>[Field]
  }
}
