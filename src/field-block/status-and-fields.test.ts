import { expect, test } from 'vitest'
import { statusAndFields } from './status-and-fields.ts'

test('lines are taken apart at the first colon, and one space behind it', () => {
  expect(statusAndFields('200 OK\r\nA: 1\r\nB:2:3\r\nC:  x \r\nD:\r\n')).toEqual({
    status: '200 OK',
    fields: [
      ['A', '1'],
      ['B', '2:3'],
      ['C', ' x '],
      ['D', ''],
    ],
  })
  expect(statusAndFields('204 No Content\r\n')).toEqual({ status: '204 No Content', fields: [] })
})
