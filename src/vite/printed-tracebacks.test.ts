import { expect, test } from 'vitest'
import { PrintedTracebacks } from './printed-tracebacks.ts'

function found(text: string): string[] {
  const all: string[] = []
  const printed = new PrintedTracebacks((traceback) => all.push(traceback))
  for (const line of text.split('\n')) printed.line(line)
  return all
}

test('a traceback ends with the line of its exception', () => {
  const traceback = 'Traceback (most recent call last):\n  File "/a.py", line 1\n    x\nKeyError: 3'
  expect(found(`a line\n${traceback}\nanother line`)).toEqual([traceback])
  expect(found(`ERROR in app: ${traceback}\n`)).toEqual([traceback])
})

test('of an exception and its cause both are found, the last one last', () => {
  const cause = 'Traceback (most recent call last):\n  File "/a.py", line 1\nKeyError: 3'
  const last = 'Traceback (most recent call last):\n  File "/a.py", line 2\nValueError'
  expect(found(`${cause}\n\nDuring handling of that:\n\n${last}`)).toEqual([cause, last])
})

test('output that has no end is not kept', () => {
  const lines = Array.from({ length: 1000 }, () => '  File')
  expect(found(['Traceback (most recent call last):', ...lines, 'Error'].join('\n'))).toEqual([])
})
