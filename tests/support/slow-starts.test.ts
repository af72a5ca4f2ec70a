import { expect, test } from 'vitest'
import { withoutSlowStarts } from './slow-starts.ts'

test('only what is said of a slow start is left out, with its stack', () => {
  const log = `[1] [WARNING] Worker 7 is still loading app:app after 10 s [MONO2021]. Stack:
  File "app.py", line 1, in <module>
    raise_an_error()
[1] [WARNING] another one [MONO2022]
`
  expect(withoutSlowStarts(log)).toBe('[1] [WARNING] another one [MONO2022]\n')
  expect(withoutSlowStarts('[1] [WARNING] still loading [MONO2021]')).toBe('')
})
