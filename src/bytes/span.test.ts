import { describe, expect, test } from 'vitest'
import { EMPTY, Span } from './span.ts'

const BYTES = Buffer.from('head:body')

describe('a span', () => {
  test('is a stretch of memory, without headroom and not lent', () => {
    const span = new Span().lend(Buffer.alloc(4), 2, 4, 0).set(BYTES, 5, 9)
    expect([span.length, span.free, span.lent, span.latin1()]).toEqual([4, 5, false, 'body'])
  })

  test('that is lent says what may be written over before it', () => {
    const span = new Span().lend(BYTES, 5, 9, 1)
    expect([span.free, span.lent]).toEqual([1, true])
  })

  test('gives views of the memory itself', () => {
    const bytes = Buffer.from('abc')
    const view = new Span().set(bytes, 1, 3).view()
    bytes[1] = 0x58
    expect(view.toString()).toBe('Xc')
  })

  test('keeps nothing alive once it is cleared', () => {
    const span = new Span().set(BYTES, 0, 4)
    span.clear()
    expect([span.length, span.bytes.length]).toEqual([0, 0])
  })

  test('that is empty cannot be changed', () => {
    expect(() => (EMPTY as Span).set(BYTES, 0, 1)).toThrow(TypeError)
  })
})
