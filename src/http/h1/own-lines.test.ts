import { expect, test } from 'vitest'
import { dateLine, serverLine } from './own-lines.ts'

test('the line names the server, and there is none without a name', () => {
  expect(serverLine('one')).toBe('Server: one\r\n')
  expect(serverLine('')).toBe('')
  expect(serverLine('two')).toBe('Server: two\r\n')
})

test('the date is that of RFC 9110, section 5.6.7', () => {
  expect(dateLine()).toMatch(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n$/)
})
