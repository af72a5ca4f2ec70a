import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quoteByte, quoteBytes, quoteText } from './quoted.ts'

describe('quoted bytes', () => {
  const quote = (text: string): string => quoteBytes(Buffer.from(text, 'latin1'), 0, text.length)

  it('are escaped where they are not visible ASCII', () => {
    expect(quote('a "b" \\ \r\n\x1b[0m\0\xff')).toBe(
      '"a \\"b\\" \\\\ \\x0d\\x0a\\x1b[0m\\x00\\xff"',
    )
  })

  it('are cut short', () => {
    expect(quote('a'.repeat(64))).toBe(`"${'a'.repeat(64)}"`)
    expect(quote('a'.repeat(65))).toBe(`"${'a'.repeat(64)}…"`)
  })

  it('are one short line whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(quoteBytes(bytes, 0, bytes.length)).toMatch(/^"[\x20-\x7e]{0,256}…?"$/)
      }),
    )
  })

  it('may be one byte', () => {
    expect([0x61, 0x20, 0x00, 0x7f, 0xff].map(quoteByte)).toEqual([
      '"a"',
      '\\x20',
      '\\x00',
      '\\x7f',
      '\\xff',
    ])
  })
})

describe('quoted text', () => {
  it('is escaped as bytes are', () => {
    expect(quoteText('GET /caf\xc3\xa9 HTTP/1.1')).toBe('"GET /caf\\xc3\\xa9 HTTP/1.1"')
    expect(quoteText('')).toBe('""')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(quoteText(Buffer.from(bytes).toString('latin1'))).toBe(
          quoteBytes(bytes, 0, bytes.length),
        )
      }),
    )
  })

  it('is cut short', () => {
    expect(quoteText('a'.repeat(1024))).toBe(`"${'a'.repeat(1024)}"`)
    expect(quoteText('\xff'.repeat(1_000_000))).toBe(`"${'\\xff'.repeat(1024)}…"`)
  })
})
