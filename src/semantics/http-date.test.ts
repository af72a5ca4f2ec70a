import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseHttpDate } from './http-date.ts'

it('reads the three forms of an HTTP date', () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37)
  expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(time)
  expect(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(time)
  expect(parseHttpDate('Sun Nov  6 08:49:37 1994')).toBe(time)
})

it('takes a year of two digits for one of the past if it would be far in the future', () => {
  const year = (text: string) => new Date(parseHttpDate(text)).getUTCFullYear()
  const now = new Date().getUTCFullYear()
  const two = (full: number) => String(full % 100).padStart(2, '0')
  expect(year(`Sunday, 06-Nov-${two(now + 10)} 08:49:37 GMT`)).toBe(now + 10)
  expect(year(`Sunday, 06-Nov-${two(now + 60)} 08:49:37 GMT`)).toBe(now - 40)
})

it('refuses what is no HTTP date', () => {
  for (const text of [
    '',
    '0',
    '-1',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Non 1994 08:49:37 GMT',
    'Sun, 06 anF 1994 08:49:37 GMT',
    '06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
  ])
    expect(parseHttpDate(text), text).toBeNaN()
})

it('reads what Date writes', () => {
  const date = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
  fc.assert(
    fc.property(date, (one) => {
      const seconds = Math.floor(one.getTime() / 1000) * 1000
      expect(parseHttpDate(one.toUTCString())).toBe(seconds)
    }),
  )
})
