import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkHead } from './head-rules.ts'
import { Headers } from './headers.ts'
import type { ResponseHeaders } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

// What it has in common with wsgiref is held against Python in
// tests/e2e/wsgiref-equivalence.test.ts.

test('the list it wraps is changed in place', () => {
  const list: ResponseHeaders = [
    ['A', '1'],
    ['B', '2'],
    ['a', '3'],
  ]
  const headers = new Headers(list)
  expect(headers.list).toBe(list)
  headers.delete('A')
  headers.set('b', '4')
  headers.add('C', '5')
  expect(list).toEqual([
    ['b', '4'],
    ['C', '5'],
  ])
})

test('items and iteration give copies, which may be changed while it is', () => {
  const headers = new Headers([
    ['A', '1'],
    ['B', '2'],
  ])
  for (const [name] of headers) headers.delete(name)
  expect(headers.length).toBe(0)
  headers.add('A', '1')
  headers.items()[0]![1] = 'changed'
  expect([...headers]).toEqual([['A', '1']])
})

test('a missing header is undefined, or the fallback', () => {
  const headers = new Headers()
  const missing: string | undefined = headers.get('A')
  const fallback: string = headers.get('A', 'x')
  expect([missing, fallback]).toEqual([undefined, 'x'])
})

test('two without a list do not share one', () => {
  new Headers().add('A', '1')
  expect(new Headers().length).toBe(0)
})

describe('parameters', () => {
  function disposition(filename: string | null | undefined): string {
    const headers = new Headers()
    headers.addHeader('Content-Disposition', 'attachment', { filename })
    return headers.values()[0]!
  }

  test.each<[string | null | undefined, string]>([
    ['a b.gif', 'attachment; filename="a b.gif"'],
    ['a"\\.gif', 'attachment; filename="a\\"\\\\.gif"'],
    [null, 'attachment; filename'],
    [undefined, 'attachment'],
    ['€ rates.txt', "attachment; filename*=UTF-8''%E2%82%AC%20rates.txt"],
    ['\xe9(\'*")%;=.txt', "attachment; filename*=UTF-8''%C3%A9%28%27%2A%22%29%25%3B%3D.txt"],
    ['\ud83d\ude00', "attachment; filename*=UTF-8''%F0%9F%98%80"],
    ['\ud83d', "attachment; filename*=UTF-8''%EF%BF%BD"],
  ])('%j', (filename, value) => {
    expect(disposition(filename)).toBe(value)
  })

  test('any text comes back, in a header that can be sent', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 0x2fff }), { minLength: 1 }), (points) => {
        const text = String.fromCodePoint(...points)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
        if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) {
          expect(() => disposition(text)).toThrow(WSGIError)
          return
        }
        const value = disposition(text)
        expect(() => checkHead('200 OK', [['Content-Disposition', value]])).not.toThrow()
        const encoded = /^attachment; filename\*=UTF-8''(.*)$/.exec(value)
        const quoted = /^attachment; filename="((?:[^"\\]|\\.)*)"$/.exec(value)
        const back = encoded
          ? decodeURIComponent(encoded[1]!)
          : quoted?.[1]?.replace(/\\(.)/g, '$1')
        expect(back).toBe(text)
      }),
    )
  })

  test.each(['a b', 'a;b', 'a=b', '', 'a\r\nb', 'é'])('a name that is %j is refused', (name) => {
    const headers = new Headers()
    expect(() => headers.addHeader('X', 'y', { [name]: 'z' })).toThrow(/is not a token/)
    expect(headers.length).toBe(0)
  })
})

describe('what cannot be sent is refused, and changes nothing', () => {
  const bad: [unknown, unknown, RegExp][] = [
    ['X', 'a\r\nb', /control character/],
    ['X', 'a\nb', /control character/],
    ['X', 'a\0', /control character/],
    ['X', '€', /beyond latin-1/],
    ['X y', 'z', /not a token/],
    ['X\r\nY', 'z', /not a token/],
    ['', 'z', /not a token/],
    [1, 'z', /header must be a string, not the number 1/],
    ['X', 1, /value of X must be a string, not the number 1/],
    ['X', undefined, /not undefined/],
  ]

  test.each(bad)('%j: %j', (name, value, message) => {
    const list: ResponseHeaders = [['x', 'old']]
    const headers = new Headers(list)
    const field = [name, value] as [string, string]
    expect(() => headers.set(...field)).toThrow(message)
    expect(() => headers.add(...field)).toThrow(message)
    expect(() => new Headers([field])).toThrow(message)
    if (value !== undefined) expect(() => headers.addHeader(...field)).toThrow(message)
    if (typeof name === 'string' && name !== 'X')
      expect(() => headers.setDefault(...field)).toThrow(message)
    expect(list).toEqual([['x', 'old']])
  })

  test.each<[unknown, RegExp]>([
    [{ A: 'b' }, /must be an array of \[name, value\], not an object/],
    [new Map(), /not a Map/],
    ['A: b', /not the string/],
    [['A: b'], /each header must be an array of a name and a value/],
    [[['A', 'b', 'c']], /each header must be/],
    [null, /not null/],
  ])('a list that is %j', (list, message) => {
    expect(() => new Headers(list as ResponseHeaders)).toThrow(message)
  })
})
