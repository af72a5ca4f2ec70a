import { afterEach, expect, test, vi } from 'vitest'
import { consoleErrors, errorStream } from './error-stream.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

test('what is written arrives as it is, line ends and all', () => {
  const written: string[] = []
  const errors = errorStream((text) => written.push(text))
  errors.write('one\n')
  errors.write('')
  errors.writelines(['two\n', 'three'])
  errors.writelines(new Set(['four']))
  errors.flush()
  expect(written).toEqual(['one\n', '', 'two\n', 'three', 'four'])
})

test('what is no text is made text', () => {
  const written: unknown[] = []
  const errors = errorStream((text) => written.push(text))
  errors.write(new Error('boom') as unknown as string)
  errors.writelines([42 as unknown as string])
  expect(written).toEqual(['Error: boom', '42'])
})

test('the methods work without their object', () => {
  const written: string[] = []
  const { write, writelines, flush } = errorStream((text) => written.push(text))
  write('a')
  writelines(['b'])
  flush()
  expect(written).toEqual(['a', 'b'])
})

test('the console gets one line end, and placeholders mean nothing', () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  consoleErrors.write('100 %s\n')
  consoleErrors.write('no end')
  consoleErrors.write('two\n\n')
  consoleErrors.write('')
  expect(error.mock.calls).toEqual([['100 %s'], ['no end'], ['two\n']])
})
