import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Members } from './members.ts'

class Guest {
  place = -1
  readonly name: number
  constructor(name: number) {
    this.name = name
  }
}

const sorted = (guests: Iterable<Guest>) => [...guests].map(({ name }) => name).sort()

describe('Members', () => {
  test('has what a Set would have, whatever is added and removed', () => {
    const property = fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (names) => {
      const guests = Array.from({ length: 31 }, (_, name) => new Guest(name))
      const members = new Members<'place', Guest>('place')
      const set = new Set<Guest>()
      for (const name of names) {
        const guest = guests[name]
        if (set.has(guest)) {
          members.delete(guest)
          set.delete(guest)
        } else {
          members.add(guest)
          set.add(guest)
        }
        expect(members.size).toBe(set.size)
      }
      for (const guest of guests) expect(members.has(guest)).toBe(set.has(guest))
      expect(sorted(members)).toEqual(sorted(set))
    })
    fc.assert(property)
  })

  test('removing what is not a member changes nothing', () => {
    const members = new Members<'place', Guest>('place')
    const [first, second] = [new Guest(1), new Guest(2)]
    members.add(first)
    members.delete(second)
    members.delete(first)
    members.delete(first)
    expect(members.size).toBe(0)
  })

  test('a member that is removed before its turn is not visited', () => {
    const members = new Members<'place', Guest>('place')
    const guests = [1, 2, 3, 4].map((name) => new Guest(name))
    for (const guest of guests) members.add(guest)
    const seen: number[] = []
    for (const { name } of members) {
      seen.push(name)
      if (name === 1) {
        members.delete(guests[0])
        members.delete(guests[2])
        members.add(new Guest(5))
      }
    }
    expect(seen).toEqual([1, 2, 4])
  })
})
