import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdleConnections, type IdleMember } from './idle-connections.ts'

class Member implements IdleMember<Member> {
  idleBefore: Member | null = null
  idleAfter: Member | null = null
  idleIn: IdleMember<Member>['idleIn'] = null
  idleSince = 0
  readonly name: number

  constructor(name: number) {
    this.name = name
  }
}

/** Takes all there are; the names, in their order. */
function takeAll(idle: IdleConnections<Member>): number[] {
  const names: number[] = []
  for (let member = idle.take(); member !== null; member = idle.take()) names.push(member.name)
  return names
}

test('the longest idle is taken first, whether it had an answer or never sent anything', () => {
  const clock = { now: 1000 }
  const idle = new IdleConnections<Member>(clock)
  for (const name of [0, 1, 2, 3, 4, 5]) {
    if (name % 3 === 0) idle.addSilent(new Member(name))
    else idle.add(new Member(name))
    clock.now += 250
  }
  clock.now += 1000
  expect(takeAll(idle)).toEqual([0, 1, 2, 3, 4, 5])
})

test('a new connection is left alone for half a second, one that had an answer is not', () => {
  const clock = { now: 1000 }
  const idle = new IdleConnections<Member>(clock)
  idle.addSilent(new Member(0))
  idle.add(new Member(1))
  clock.now += 250
  expect(takeAll(idle)).toEqual([1])
  expect(idle.size).toBe(1)
  clock.now += 250
  expect(takeAll(idle)).toEqual([0])
  expect(idle.size).toBe(0)
})

test('whatever comes and goes, those that are there are taken in the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 100 }), (moves) => {
      const all = Array.from({ length: 10 }, (_, name) => new Member(name))
      const clock = { now: 0 }
      const idle = new IdleConnections<Member>(clock)
      let model: number[] = []
      for (const [name, silent] of moves) {
        const member = all[name]!
        clock.now++
        if (member.idleIn !== null) {
          member.idleIn.delete(member)
          model = model.filter((it) => it !== name)
        } else {
          if (silent) idle.addSilent(member)
          else idle.add(member)
          model.push(name)
        }
        expect(idle.size).toBe(model.length)
        for (const it of all) expect(it.idleIn !== null).toBe(model.includes(it.name))
      }
      clock.now += 1000
      expect(takeAll(idle)).toEqual(model)
    }),
  )
})
