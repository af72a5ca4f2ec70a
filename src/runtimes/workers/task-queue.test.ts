import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { garbageCollector } from '../../../tests/support/garbage.ts'
import type { Task } from '../runtime.ts'
import { Assignment } from './assignment.ts'
import { TaskQueue } from './task-queue.ts'

function assignment(queuedAt: number, released: () => void = () => {}): Assignment {
  return new Assignment({ released } as unknown as Task, queuedAt)
}

/** Takes one assignment of a hundred; nothing else refers to it afterwards. */
function take(queue: TaskQueue): Assignment {
  for (let i = 0; i < 100; i++) queue.push(assignment(i))
  return queue.shift()!
}

describe('the queue of tasks', () => {
  it('gives them in the order in which they came', () => {
    const queue = new TaskQueue()
    const all = Array.from({ length: 5000 }, (_, i) => assignment(i))
    for (const one of all) queue.push(one)
    expect(queue.length).toBe(5000)
    for (const one of all) expect(queue.shift()).toBe(one)
    expect(queue.shift()).toBeUndefined()
    expect(queue.length).toBe(0)
  })

  it('does not hold what it has given', async () => {
    const queue = new TaskQueue()
    const given = new WeakRef(take(queue))
    // A WeakRef keeps what it refers to until the end of the task that made it.
    await new Promise((resolve) => setImmediate(resolve))
    garbageCollector()()
    expect(given.deref()).toBeUndefined()
    expect(queue.length).toBe(99)
  })

  it('gives first what a worker gave back, in its own order', () => {
    const queue = new TaskQueue()
    const [a, b, c, d, e] = [1, 2, 3, 4, 5].map((time) => assignment(time)) as [
      Assignment,
      Assignment,
      Assignment,
      Assignment,
      Assignment,
    ]
    queue.push(d)
    queue.push(e)
    queue.unshift([b, c])
    queue.unshift([a])
    expect([queue.shift(), queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([
      a,
      b,
      c,
      d,
      e,
    ])
  })

  it('passes over those that were cancelled, does not count them, and lets go of them at once', () => {
    const queue = new TaskQueue()
    let released = 0
    const [a, b, c] = [1, 2, 3].map((time) => assignment(time, () => released++))
    queue.push(a!)
    queue.push(b!)
    queue.push(c!)
    a!.cancel()
    b!.cancel()
    b!.cancel()
    expect(released).toBe(2)
    expect(queue.length).toBe(1)
    expect(queue.shift()).toBe(c)
    expect(queue.length).toBe(0)
    c!.cancel()
    expect(queue.length).toBe(0)
  })

  it('holds on to no crowd of clients that came and went', () => {
    const queue = new TaskQueue()
    const waiting = assignment(0)
    queue.push(waiting)
    for (let i = 0; i < 10_000; i++) {
      const passing = assignment(i)
      queue.push(passing)
      passing.cancel()
    }
    expect(queue.length).toBe(1)
    expect(queue.entries).toBeLessThan(200)
    expect(queue.shift()).toBe(waiting)
    expect(queue.shift()).toBeUndefined()
  })

  it('takes out what has waited too long, and leaves the rest as it was', () => {
    const queue = new TaskQueue()
    const all = [10, 20, 30, 40].map((time) => assignment(time))
    for (const one of all) queue.push(one)
    all[0]!.cancel()
    expect(queue.takeOlderThan(5)).toEqual([])
    expect(queue.takeOlderThan(30)).toEqual([all[1]])
    expect(queue.length).toBe(2)
    expect(queue.shift()).toBe(all[2])
    expect(queue.takeOlderThan(1000)).toEqual([all[3]])
    expect(queue.length).toBe(0)
  })

  it('behaves like a plain list, whatever is done to it', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const) }),
      fc.record({ do: fc.constant('unshift' as const), count: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ do: fc.constant('shift' as const) }),
      fc.record({ do: fc.constant('cancel' as const), which: fc.nat(200) }),
      fc.record({ do: fc.constant('take' as const), age: fc.nat(50) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new TaskQueue()
        let model: Assignment[] = []
        let time = 0
        for (const one of steps) {
          time++
          if (one.do === 'push') {
            const fresh = assignment(time)
            queue.push(fresh)
            model.push(fresh)
          } else if (one.do === 'unshift') {
            const fresh = Array.from({ length: one.count }, () => assignment(time))
            queue.unshift(fresh)
            model = [...fresh, ...model]
          } else if (one.do === 'shift') {
            expect(queue.shift()).toBe(model.shift())
          } else if (one.do === 'cancel') {
            const [gone] = model.splice(one.which % Math.max(1, model.length), 1)
            gone?.cancel()
          } else {
            const limit = time - one.age
            const until = model.findIndex((waiting) => waiting.queuedAt >= limit)
            expect(queue.takeOlderThan(limit)).toEqual(
              model.splice(0, until === -1 ? model.length : until),
            )
          }
          expect(queue.length).toBe(model.length)
        }
      }),
      { numRuns: 200 },
    )
  })
})
