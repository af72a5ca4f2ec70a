import { expect, test } from 'vitest'
import { fieldsOfLines } from './field-lines.ts'

test('lines are taken apart at the first colon, and one space behind it', () => {
  expect(fieldsOfLines('200 OK\r\nA: 1\r\nB:2:3\r\nC:  x \r\nD:\r\n')).toEqual([
    ['A', '1'],
    ['B', '2:3'],
    ['C', ' x '],
    ['D', ''],
  ])
  expect(fieldsOfLines('204 No Content\r\n')).toEqual([])
})
