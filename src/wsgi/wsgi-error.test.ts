import { expect, test } from 'vitest'
import { describeValue } from './wsgi-error.ts'

test.each([
  [new Uint8Array(1), 'a Uint8Array'],
  [new URL('http://a/'), 'a URL'],
  [new Array(1), 'an Array'],
  [new (class Undoable {})(), 'an Undoable'],
  [new Map(), 'a Map'],
  [{}, 'an object'],
  [Object.create(null), 'an object'],
  [200, 'the number 200'],
])('a value is named with its article: %o', (value, text) => {
  expect(describeValue(value)).toBe(text)
})
