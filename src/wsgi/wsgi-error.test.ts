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

test('an object that throws when it is looked at is an object', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const hostile = {
    get constructor() {
      throw new Error('on purpose')
    },
  }
  expect([proxy, hostile, { constructor: { name: 5 } }].map(describeValue)).toEqual([
    'an object',
    'an object',
    'an object',
  ])
})
