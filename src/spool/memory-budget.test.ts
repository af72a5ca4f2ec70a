import { describe, expect, it } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { MemoryBudget } from './memory-budget.ts'

describe('a memory budget', () => {
  it('is pressed from half of its limit, full at it, and over at one and a half times', () => {
    const memory = new MemoryBudget(100)
    const flags = () => [memory.pressed, memory.full, memory.over]
    memory.add(49)
    expect(flags()).toEqual([false, false, false])
    memory.add(1)
    expect(flags()).toEqual([true, false, false])
    memory.add(50)
    expect(flags()).toEqual([true, true, false])
    memory.add(50)
    expect(flags()).toEqual([true, true, true])
    memory.add(-149)
    expect(flags()).toEqual([false, false, false])
    expect(memory.held).toBe(1)
  })

  it('says so each time it becomes full', () => {
    const told: number[] = []
    const memory = new MemoryBudget(100, (held) => told.push(held))
    memory.add(100)
    memory.add(5)
    memory.add(-50)
    memory.add(60)
    expect(told).toEqual([100, 115])
  })

  it('wakes those that wait one after another, as long as there is space', async () => {
    const memory = new MemoryBudget(100)
    memory.add(100)
    const woken: string[] = []
    memory.whenSpace(() => {
      woken.push('first')
      memory.add(50)
    })
    memory.whenSpace(() => woken.push('second'))
    const giveUp = memory.whenSpace(() => woken.push('gave up'))
    giveUp()
    memory.add(-5) // not enough for anybody to go on
    await new Promise(setImmediate)
    expect(woken).toEqual([])
    memory.add(-40)
    await waitFor('the first', () => woken.length > 0)
    expect(woken).toEqual(['first'])
    expect(memory.full).toBe(true)
    memory.add(-60)
    await waitFor('the second', () => woken.length > 1)
    expect(woken).toEqual(['first', 'second'])
  })

  it('without a limit is never pressed', () => {
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    memory.add(2 ** 50)
    expect([memory.pressed, memory.full, memory.over]).toEqual([false, false, false])
  })
})
