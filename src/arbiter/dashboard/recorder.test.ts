import { expect, test } from 'vitest'
import { Recorder } from './recorder.ts'

test('a sample that cannot be taken is in the log, and is tried again', async () => {
  const failures: string[] = []
  let asked = 0
  const recorder = new Recorder(
    () => {
      asked++
      return Promise.reject(new TypeError('oops'))
    },
    (text) => failures.push(text),
  )
  await recorder.look()
  await recorder.look()
  recorder.end()
  expect(asked).toBe(2)
  expect(failures[0]).toMatch(
    /^Cannot take a sample for the dashboard: TypeError: oops \[MONO8203\]\n {4}at /,
  )
})
