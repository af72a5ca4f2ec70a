import { describe, expect, it } from 'vitest'
import {
  DIGIT,
  FIELD_VALUE,
  HEX_DIGIT_PLUS_ONE,
  QUOTED_TEXT,
  REGISTERED_NAME,
  TARGET,
  TCHAR,
  TOKEN_LOWER,
} from './syntax.ts'

/** The bytes of a class, as latin-1 text. */
function members(table: Uint8Array): string {
  expect(table).toHaveLength(256)
  return Buffer.from(Array.from(table.keys()).filter((byte) => table[byte] !== 0)).toString(
    'latin1',
  )
}

const VISIBLE = Array.from({ length: 94 }, (_, i) => String.fromCharCode(0x21 + i)).join('')
const HIGH = Array.from({ length: 128 }, (_, i) => String.fromCharCode(0x80 + i)).join('')
const without = (text: string, excluded: string): string =>
  [...text].filter((character) => !excluded.includes(character)).join('')

describe('classes of bytes', () => {
  it('are those of RFC 9110 for tokens', () => {
    const tokens = without(VISIBLE, '"(),/:;<=>?@[\\]{}')
    expect(members(TCHAR)).toBe(tokens)
    expect(members(TOKEN_LOWER)).toBe(tokens)
    expect(String.fromCharCode(...[...'AZaz09-_'].map((c) => TOKEN_LOWER[c.charCodeAt(0)]!))).toBe(
      'azaz09-_',
    )
  })

  it('are those of RFC 9110 for field values and quoted strings', () => {
    expect(members(FIELD_VALUE)).toBe(`\t ${VISIBLE}${HIGH}`)
    expect(members(QUOTED_TEXT)).toBe(`\t ${without(VISIBLE, '"\\')}${HIGH}`)
  })

  it('leave fragments, controls, DEL and the space out of targets', () => {
    expect(members(TARGET)).toBe(without(VISIBLE, '#') + HIGH)
    expect(members(TARGET.map((kind) => (kind === 2 ? 1 : 0)))).toBe('?')
  })

  it('are those of RFC 3986 for registered names', () => {
    expect(members(REGISTERED_NAME)).toBe(without(VISIBLE, '"#%/:<>?@[\\]^`{|}'))
  })

  it('know digits and their values', () => {
    expect(members(DIGIT)).toBe('0123456789')
    expect(members(HEX_DIGIT_PLUS_ONE)).toBe('0123456789ABCDEFabcdef')
    for (const digit of '0123456789ABCDEFabcdef') {
      expect(HEX_DIGIT_PLUS_ONE[digit.charCodeAt(0)]! - 1).toBe(Number.parseInt(digit, 16))
    }
  })
})
