import { describe, expect, it } from 'vitest'
import { decodePercent, decodePercentBytes, hasPercent } from './percent.ts'

const cases: [encoded: string, decoded: string][] = [
  ['', ''],
  ['/plain', '/plain'],
  ['/a%20b', '/a b'],
  ['%41%4a%4A', 'AJJ'],
  ['/caf%C3%A9', '/caf\u00c3\u00a9'],
  ['%2525', '%25'],
  ['100%', '100%'],
  ['%4', '%4'],
  ['%g1%1g', '%g1%1g'],
  ['%%41', '%A'],
  ['%00%ff', '\u0000\u00ff'],
]

describe('percent decoding', () => {
  it.each(cases)('decodes %j alike as text and as bytes', (encoded, decoded) => {
    expect(decodePercent(encoded)).toBe(decoded)
    const bytes = Buffer.from(`?${encoded}?`, 'latin1')
    const out = Buffer.alloc(encoded.length)
    const length = decodePercentBytes(bytes.subarray(1, -1), out)
    expect(out.toString('latin1', 0, length)).toBe(decoded)
  })

  it('looks for a percent sign within the bounds only', () => {
    const bytes = Buffer.from('%a%')
    expect(hasPercent(bytes, 1, 2)).toBe(false)
    expect(hasPercent(bytes, 1, 3)).toBe(true)
  })
})
