import { expect, test } from 'vitest'
import { closest } from './suggestion.ts'

const known = ['--workers', '--threads', '--timeout', '--graceful-timeout', '--keep-alive', '-b']

test.each([
  ['--wrokers', '--workers'],
  ['--worker', '--workers'],
  ['--Workers', '--workers'],
  ['--keepalive', '--keep-alive'],
  ['--keep_alive', '--keep-alive'],
  ['--grace', '--graceful-timeout'],
])('%s is taken for %s', (word, meant) => {
  expect(closest(word, known)).toBe(meant)
})

test.each(['--frobnicate', '-x', '', '--'])('%j is taken for nothing', (word) => {
  expect(closest(word, known)).toBeUndefined()
})
