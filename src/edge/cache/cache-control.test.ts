import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDirectives } from './cache-control.ts'

const read = (value: string) => Object.fromEntries(parseDirectives(value))

describe('Cache-Control', () => {
  it('is read by names in any case, with tokens and quoted values', () => {
    expect(read('Public, MAX-AGE=60 ,private="a, b" , x=y')).toEqual({
      public: '',
      'max-age': '60',
      private: 'a, b',
      x: 'y',
    })
  })

  it('has the smaller of two numbers, and 0 for what is none', () => {
    expect(read('max-age=60, max-age=10')).toEqual({ 'max-age': '10' })
    for (const text of ['', '=', '=-1', '=1.5', '=1e9', "='60'", '=60s', '=0x10', '=60 60'])
      expect(read(`max-age${text}`), text).toEqual({ 'max-age': '0' })
    expect(read('max-age=99999999999')).toEqual({ 'max-age': String(2 ** 31) })
  })

  it('of an absurd length means that nothing is stored', () => {
    expect(read(`max-age=60${', x'.repeat(5000)}`)).toEqual({ 'no-store': '' })
  })

  it('whatever it is, numbers are numbers, and a no-store between commas is seen', () => {
    const noise = fc.string({
      unit: fc.constantFrom('a', '=', ' ', '\t', '-', '1', ';', '\\', '\xe9'),
      maxLength: 20,
    })
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 6 }), fc.nat(6), (parts, at) => {
        const spelled = ['No-Store', 'NO-STORE', ' no-store ', '\tno-store'][at % 4]!
        const all = [...parts.slice(0, at), spelled, ...parts.slice(at), 'max-age=5']
        const directives = parseDirectives(all.join(','))
        expect(directives.has('no-store')).toBe(true)
        expect(directives.get('max-age')).toMatch(/^[0-5]$/)
      }),
    )
  })

  it('is read in a time that grows with its length', () => {
    for (const unit of ['"', '\\"', 'a="', 'a="\\', ',', '=', ' ', '\t=']) {
      // CPU time, because the machine may be busy.
      const before = process.cpuUsage()
      parseDirectives(unit.repeat(8000 / unit.length))
      expect(process.cpuUsage(before).user / 1000, unit).toBeLessThan(500)
    }
  })
})
