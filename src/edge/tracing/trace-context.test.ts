import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTraceParent, parseTraceParent, passedTraceState } from './trace-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent', () => {
  it('reads a valid one', () => {
    const read = { traceId: TRACE, spanId: SPAN, sampled: true }
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`)).toEqual(read)
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-00`)).toEqual({ ...read, sampled: false })
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-03`)).toEqual(read)
  })

  it('reads a later version as far as it knows it', () => {
    const read = { traceId: TRACE, spanId: SPAN, sampled: true }
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01`)).toEqual(read)
    expect(parseTraceParent(`01-${TRACE}-${SPAN}-01-what-comes`)).toEqual(read)
    expect(parseTraceParent(`01-${TRACE}-${SPAN}-01.what`)).toBeNull()
  })

  it.each([
    ['nothing', ''],
    ['another form', 'trace=1'],
    ['a forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
    ['zeros as its trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['zeros as its span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capital letters', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a letter that is no digit', `00-${TRACE.slice(1)}g-${SPAN}-01`],
    ['two values', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ['a line end', `00-${TRACE}-${SPAN}-01\n`],
    ['a huge later version', `01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
  ])('refuses %s', (_, text) => {
    expect(parseTraceParent(text)).toBeNull()
  })

  it('reads what it writes', () => {
    const hex = (length: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((digits) => /[^0]/.test(digits))
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        const text = formatTraceParent(traceId, spanId, sampled)
        expect(parseTraceParent(text)).toEqual({ traceId, spanId, sampled })
      }),
    )
  })

  it('takes nothing but the form of the standard', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        expect(parseTraceParent(text)).toBeNull()
      }),
    )
  })
})

describe('tracestate', () => {
  it('passes on what is valid, without spaces and empty members', () => {
    expect(passedTraceState('rojo=00f0, congo=t61rcWkgMzE,,\tfw@acme=1 2')).toBe(
      'rojo=00f0,congo=t61rcWkgMzE,fw@acme=1 2',
    )
    expect(passedTraceState('')).toBe('')
  })

  it.each([
    ['a member without a value', 'a'],
    ['an empty value', 'a='],
    ['an empty key', '=1'],
    ['a capital letter in a key', 'A=1'],
    ['an equals sign in a value', 'a=1=2'],
    ['a byte beyond ASCII', 'a=\xe9'],
    ['one key twice', 'a=1,b=2,a=3'],
    ['a long key', `${'a'.repeat(257)}=1`],
    ['a long value', `a=${'1'.repeat(257)}`],
    ['33 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')],
    ['a megabyte', 'a=1,'.repeat(250_000)],
  ])('drops all of one with %s', (_, text) => {
    expect(passedTraceState(text)).toBe('')
  })

  it('drops long members first, then the last ones', () => {
    const long = `long=${'x'.repeat(200)}`
    const members = Array.from({ length: 10 }, (_, i) => `k${i}=${'v'.repeat(50)}`)
    const passed = passedTraceState([members[0], long, ...members.slice(1)].join(','))
    expect(passed.split(',')).toEqual(members.slice(0, 9))
    expect(passed.length).toBeLessThanOrEqual(512)
  })

  it('is never longer than 512 characters, and itself valid', () => {
    const member = fc
      .tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,20}$/), fc.stringMatching(/^[!-+\--<>-~]{1,256}$/))
      .map(([key, value]) => `${key}=${value}`)
    fc.assert(
      fc.property(fc.array(member, { maxLength: 40 }), (members) => {
        const passed = passedTraceState(members.join(','))
        expect(passed.length).toBeLessThanOrEqual(512)
        expect(passedTraceState(passed)).toBe(passed)
      }),
    )
  })
})
