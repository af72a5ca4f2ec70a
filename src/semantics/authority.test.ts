import { expect, it } from 'vitest'
import { splitAuthority } from './authority.ts'

it.each([
  ['localhost', { host: 'localhost', port: '' }],
  ['localhost:8000', { host: 'localhost', port: '8000' }],
  ['localhost:', { host: 'localhost', port: '' }],
  ['[::1]', { host: '[::1]', port: '' }],
  ['[::1]:443', { host: '[::1]', port: '443' }],
  [':80', { host: '', port: '80' }],
  ['', { host: '', port: '' }],
  ['::1', null],
  ['a:b', null],
  ['[::1]x:1', null],
])('splits %j', (authority, parts) => {
  expect(splitAuthority(authority)).toEqual(parts)
})
