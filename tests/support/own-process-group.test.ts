import { expect, test } from 'vitest'

test('a test that has no pid yet does not end the run', () => {
  expect(() => process.kill(Number(''), 0)).toThrow('there was no pid yet')
  expect(process.kill(process.pid, 0)).toBe(true)
})
