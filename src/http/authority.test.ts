import { describe, expect, it } from 'vitest'
import { authorityHostEnd } from './authority.ts'

/** The host of an authority, or null when it is malformed. */
function host(text: string): string | null {
  const bytes = Buffer.from(`/${text}/`, 'latin1')
  const end = authorityHostEnd(bytes, 1, bytes.length - 1)
  return end < 0 ? null : bytes.toString('latin1', 1, end)
}

describe('the host of an authority', () => {
  it.each([
    ['a.example', 'a.example'],
    ['a.example:80', 'a.example'],
    ['a.example:', 'a.example'],
    ['a%20b:1', 'a%20b'],
    ['127.0.0.1:65535', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[2001:db8::1]:8000', '[2001:db8::1]'],
    ['[vF.x]:1', '[vF.x]'],
    ['', ''],
    [':80', ''],
  ])('of "%s" is "%s"', (text, expected) => {
    expect(host(text)).toBe(expected)
  })

  it.each([
    'u@a',
    'a:b',
    'a:1:2',
    'a:65536',
    'a:99999999999999999999',
    'a:+1',
    'a: 1',
    'a b',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a%',
    'a%4',
    'a%4g',
    '[::1',
    '::1]',
    '[::1]x',
    '[::1%lo]',
    '[1.2.3.4]',
    '[v.x]',
    '[v1.]',
    '[]',
    'a\xff',
  ])('of "%s" is malformed', (text) => {
    expect(host(text)).toBeNull()
  })
})
