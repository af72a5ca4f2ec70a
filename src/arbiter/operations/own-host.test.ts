import { expect, test } from 'vitest'
import { isOwnHost } from './own-host.ts'

test.each([
  [undefined, true],
  ['', true],
  ['127.0.0.1:9400', true],
  ['10.1.2.3', true],
  ['[::1]:9400', true],
  ['localhost:9400', true],
  ['LOCALHOST', true],
  ['metrics.internal:9400', true],
  ['evil.example', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example:9400', false],
  ['[evil]', false],
  ['127.0.0.1@evil.example', false],
])('Host %s: %s', (host, own) => {
  expect(isOwnHost(host, new Set(['metrics.internal']))).toBe(own)
})
