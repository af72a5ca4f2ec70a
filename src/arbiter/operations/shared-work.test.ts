import { expect, test } from 'vitest'
import { SharedWork } from './shared-work.ts'

test('who comes while the work is done gets the next result, together with others', async () => {
  let begun = 0
  const ends: (() => void)[] = []
  const work = new SharedWork(async () => {
    const number = ++begun
    await new Promise<void>((resolve) => ends.push(resolve))
    return number
  })
  const first = work.next()
  const second = work.next()
  const third = work.next()
  expect(begun).toBe(1)
  ends.shift()!()
  expect(await first).toBe(1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toBe(2)
  ends.shift()!()
  expect(await Promise.all([second, third])).toEqual([2, 2])
})

test('work that fails fails for those who wait for it, and is done again', async () => {
  let fails = true
  const work = new SharedWork(async () => {
    if (fails) throw new Error('no')
    return 'yes'
  })
  const one = work.next()
  const other = work.next()
  await expect(one).rejects.toThrow('no')
  await expect(other).rejects.toThrow('no')
  fails = false
  expect(await work.next()).toBe('yes')
})
