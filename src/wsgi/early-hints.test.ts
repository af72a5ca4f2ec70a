import { describe, expect, it } from 'vitest'
import { HintRules } from './early-hints.ts'
import type { ResponseHeaders } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

const link: ResponseHeaders = [['Link', '</a.css>; rel=preload; as=style']]

describe('early hints', () => {
  it('are copied', () => {
    const fields = new HintRules().check(link)
    expect(fields).toEqual(link)
    expect(fields[0]).not.toBe(link[0])
  })

  it.each([
    ['a value that splits the response', [['X', 'a\r\nb']]],
    ['a NUL', [['X', 'a\0b']]],
    ['a name that is not a token', [['X y', 'a']]],
    ['text beyond latin-1', [['X', '\u0416']]],
    ['a hop-by-hop header', [['Connection', 'close']]],
    ['a Content-Length', [['content-length', '0']]],
    ['an object', { Link: 'a' }],
    ['a header without a value', [['Link']]],
    ['a value that is not a string', [['Link', 5]]],
  ])('refuse %s', (_, headers) => {
    expect(() => new HintRules().check(headers as ResponseHeaders)).toThrow(WSGIError)
    expect(() => new HintRules().check(headers as ResponseHeaders)).toThrow(/^wsgi.early_hints: /)
  })

  it('have a bound for each request, however small they are', () => {
    const rules = new HintRules()
    for (let i = 0; i < 2048; i++) rules.check([])
    expect(() => rules.check([])).toThrow(/65536 bytes of early hints/)
    const others = new HintRules()
    expect(() => others.check([['X', 'a'.repeat(65_500)]])).toThrow(/65536 bytes/)
    expect(new HintRules().check([['X', 'a'.repeat(65_499)]])).toHaveLength(1)
  })
})
