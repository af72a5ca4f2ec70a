import { expect, it } from 'vitest'
import { ViolationLog } from './violation-log.ts'

it('takes each rule once, until the application may be another one', () => {
  const log = new ViolationLog()
  expect([log.isNew('a'), log.isNew('a'), log.isNew('b')]).toEqual([true, false, true])
  log.clear()
  expect(log.isNew('a')).toBe(true)
})

it('has a limit', () => {
  const log = new ViolationLog()
  for (let n = 0; n < 64; n++) log.isNew(`${n}`)
  expect(log.isNew('one more')).toBe(false)
})
