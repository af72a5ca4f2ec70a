import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Task } from '../runtime.ts'
import { Assignment } from './assignment.ts'
import { AssignmentTable } from './assignment-table.ts'

function assignment(stream: number): Assignment {
  const made = new Assignment({} as Task, 0)
  made.stream = stream
  return made
}

describe('AssignmentTable', () => {
  test('finds and orders assignments as a Map does, whatever is added and removed', () => {
    const step = fc.record({ add: fc.boolean(), gap: fc.integer({ min: 1, max: 300 }) })
    const steps = fc.array(fc.tuple(step, fc.nat(1000)), { maxLength: 400 })
    const property = fc.property(steps, (all) => {
      const table = new AssignmentTable()
      const map = new Map<number, Assignment>()
      let stream = 0
      for (const [{ add, gap }, which] of all) {
        if (add || map.size === 0) {
          stream += gap
          const made = assignment(stream)
          table.add(made)
          map.set(stream, made)
        } else {
          const removed = [...map.values()][which % map.size]
          table.remove(removed)
          map.delete(removed.stream)
          expect(table.get(removed.stream)).toBeUndefined()
        }
        expect(table.size).toBe(map.size)
      }
      expect([...table]).toEqual([...map.values()])
      for (const [number, made] of map) expect(table.get(number)).toBe(made)
      expect(table.get(stream + 1)).toBeUndefined()
    })
    fc.assert(property)
  })

  test('finds every one of thousands', () => {
    const table = new AssignmentTable()
    const made = Array.from({ length: 5000 }, (_, i) => assignment(i * 3 + 1))
    for (const one of made) table.add(one)
    for (const one of made) expect(table.get(one.stream)).toBe(one)
    expect(table.get(2)).toBeUndefined()
  })

  test('the assignment at hand may be removed while the table is read', () => {
    const table = new AssignmentTable()
    for (let stream = 1; stream <= 5; stream++) table.add(assignment(stream))
    const seen: number[] = []
    for (const one of table) {
      seen.push(one.stream)
      table.remove(one)
    }
    expect(seen).toEqual([1, 2, 3, 4, 5])
    expect(table.size).toBe(0)
  })

  test('one that was removed refers to no other', () => {
    const table = new AssignmentTable()
    const made = [1, 65, 129, 2, 3].map(assignment) // the first three share a chain
    for (const one of made) table.add(one)
    for (const one of [made[1], made[3], made[0], made[4], made[2]]) {
      table.remove(one)
      expect([one.before, one.after, one.nextInChain]).toEqual([null, null, null])
    }
  })
})
