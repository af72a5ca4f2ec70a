import { expect, test } from 'vitest'
import { findGroup, findUser, groupsOf } from './accounts.ts'

test('root is found by name and by number', () => {
  const root = { uid: 0, gid: 0, name: 'root' }
  expect(findUser('root')).toEqual(root)
  expect(findUser('0')).toEqual(root)
  expect(findGroup('0')).toBe(0)
})

test('a number need not belong to anybody', () => {
  expect(findUser('3999999999')).toEqual({ uid: 3999999999, gid: null, name: null })
  expect(findGroup('3999999999')).toBe(3999999999)
})

test('a name that nobody has is not found, whatever it looks like', () => {
  for (const name of ['no-such-name', '-u', '--help', 'root:x', '4294967295', '1e3', '']) {
    expect(findUser(name), name).toBe(undefined)
    expect(findGroup(name), name).toBe(undefined)
  }
})

test('the groups of a user begin with the one that is asked for', () => {
  expect(groupsOf('root', 7)[0]).toBe(7)
  expect(groupsOf('root', 7)).toContain(0)
})
