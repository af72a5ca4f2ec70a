import { expect, test } from 'vitest'
import { refusal, testOddApplications } from '../support/odd-applications.ts'

test('objects that raise when they are looked at are no candidates for an application', async () => {
  const text = await refusal(['--runtime', 'pyodide', 'shy:app'])
  expect(text).toContain("module 'shy' has no attribute 'app'; callable there: server")
  expect(text).not.toContain('Traceback')
})

testOddApplications([['pyodide', 'lenient:app']])
