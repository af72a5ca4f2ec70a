import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { forwardedElement } from './forwarded.ts'
import { parseNode } from './forwarded-node.ts'

const element = (header: string, fromRight = 1) => {
  const found = forwardedElement(header, fromRight)
  return found === null ? null : Object.fromEntries(found)
}

describe('forwardedElement', () => {
  test.each<[string, number, object | null]>([
    // RFC 7239 §4 and §7
    ['for="_gazonk"', 1, { for: '_gazonk' }],
    ['For="[2001:db8:cafe::17]:4711"', 1, { for: '[2001:db8:cafe::17]:4711' }],
    [
      'for=192.0.2.60;proto=http;by=203.0.113.43',
      1,
      { for: '192.0.2.60', proto: 'http', by: '203.0.113.43' },
    ],
    ['for=192.0.2.43, for=198.51.100.17', 1, { for: '198.51.100.17' }],
    ['for=192.0.2.43, for=198.51.100.17', 2, { for: '192.0.2.43' }],
    ['for=192.0.2.43, for=198.51.100.17', 3, null],
    ['for=192.0.2.43, for=198.51.100.17', 0, null],
    ['for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', 2, { for: '[2001:db8:cafe::17]' }],
    // Between the parts
    ['for=a ; proto=b;', 1, { for: 'a', proto: 'b' }],
    [';;for=a;;', 1, { for: 'a' }],
    [' \tfor=a\t ', 1, { for: 'a' }],
    ['for=a,, ,', 1, { for: 'a' }],
    ['for=a,;,for=b', 2, {}],
    ['', 1, null],
    [' , ,', 1, null],
    // In quotes
    ['a="x,y;z=\\"1\\"";for=b, for=c', 2, { a: 'x,y;z="1"', for: 'b' }],
    ['a="\\\\", for=c', 2, { a: '\\' }],
    ['a="\\\\\\"", for=c', 2, { a: '\\"' }],
    ['a="", for=c', 2, { a: '' }],
    // Malformed
    ['for', 1, null],
    ['for=', 1, null],
    ['=a', 1, null],
    ['for =a', 1, null],
    ['for= a', 1, null],
    ['for=a proto=b', 1, null],
    ['for=[::1]', 1, null],
    ['for=1.2.3.4:80', 1, null],
    ['for="a', 1, null],
    ['for=a"', 1, null],
    ['for="a"b', 1, null],
    ['for="a\\"', 1, null],
    ['for=a;For=b', 1, null],
    ['for=b, for', 2, null],
  ])('%s, number %i from the right', (header, fromRight, expected) => {
    expect(element(header, fromRight)).toEqual(expected)
  })

  test.each([
    '"',
    'for="',
    'for="x',
    '\\',
    'for=1;for=2',
    'for="[::1]',
    'x="\\',
    '=,=',
    '"",',
    'for="a"; "',
  ])('whatever a client sends first, what its proxy adds is read the same: %s', (sent) => {
    expect(element(`${sent}, for="[2001:db8::1]:4711";proto=https`)).toEqual({
      for: '[2001:db8::1]:4711',
      proto: 'https',
    })
    expect(element(`${sent}, for=192.0.2.1`)).toEqual({ for: '192.0.2.1' })
    expect(element(`${sent}, for=192.0.2.1, for="a,\\"b"`, 2)).toEqual({ for: '192.0.2.1' })
  })

  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/)
  const name = token.map((text) => text.toLowerCase())
  const quotable = fc.stringMatching(/^[\t -~\x80-\xff]{0,10}$/)
  const pair = fc.oneof(
    fc.tuple(name, token, fc.constant(false)),
    fc.tuple(name, quotable, fc.constant(true)),
  )
  const pairs = fc.uniqueArray(pair, { selector: ([key]) => key, minLength: 1, maxLength: 4 })
  type Pairs = [string, string, boolean][]
  const write = (list: Pairs, separator: string) =>
    list
      .map(([key, value, quoted]) =>
        quoted ? `${key}="${value.replace(/["\\]/g, '\\$&')}"` : `${key}=${value}`,
      )
      .join(separator)
  const separators = fc.constantFrom(';', ' ; ', ';;', ';\t')
  const commas = fc.constantFrom(',', ', ', ' ,\t', ',,', ', ,')

  test('of a well-formed header each element is read as it was written', () => {
    fc.assert(
      fc.property(
        fc.array(pairs, { minLength: 1, maxLength: 5 }),
        separators,
        commas,
        (elements, separator, comma) => {
          const header = elements.map((list) => write(list, separator)).join(comma)
          elements.reverse().forEach((list, index) => {
            const expected = list.map(([key, value]) => [key, value])
            expect([...(forwardedElement(header, index + 1) ?? [])]).toEqual(expected)
          })
          expect(forwardedElement(header, elements.length + 1)).toBeNull()
        },
      ),
    )
  })

  test('anything at all to its left changes nothing about an element', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\t -~\x80-\xff]{0,30}$/),
        pairs,
        commas,
        (left, list, comma) => {
          const expected = list.map(([key, value]) => [key, value])
          const found = forwardedElement(`${left}${comma}${write(list, ';')}`, 1)
          expect([...(found ?? [])]).toEqual(expected)
        },
      ),
    )
  })

  test('of any string, what is found is made of what is there, and nothing is thrown', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[;,="\\ab \t[:\]]{0,25}$/),
        fc.integer({ min: 0, max: 4 }),
        (header, count) => {
          const found = forwardedElement(header, count)
          if (found === null) return
          const elements = header.split(',').length
          expect(count).toBeLessThanOrEqual(elements)
          for (const [key, value] of found) {
            expect(key).toMatch(/^[ab]+$/)
            expect(header.replaceAll('\\', '')).toContain(`${key}=`)
            for (const character of value) expect(header).toContain(character)
          }
        },
      ),
    )
  })

  test('long runs of blanks, quotes and backslashes take time in proportion to their length', () => {
    // In proportion to its square, each of these would take many seconds.
    for (const run of [' ', '\t', '"', '\\', '\\"', ';', ',', 'a', 'a=', '="', ' ;']) {
      const long = run.repeat(50_000)
      for (const header of [long, `for=a${long}x`, `for="${long}`, `for="a"${long}"`]) {
        expect(() => forwardedElement(header, 1)).not.toThrow()
      }
    }
  })
})

describe('parseNode', () => {
  test.each<[string, { address: string; port: string } | null]>([
    ['192.0.2.43', { address: '192.0.2.43', port: '' }],
    ['192.0.2.43:47011', { address: '192.0.2.43', port: '47011' }],
    ['192.0.2.43:_port', { address: '192.0.2.43', port: '' }],
    ['[2001:db8::17]', { address: '2001:db8::17', port: '' }],
    ['[2001:db8::17]:4711', { address: '2001:db8::17', port: '4711' }],
    ['[::ffff:192.0.2.1]:1', { address: '::ffff:192.0.2.1', port: '1' }],
    ['unknown', { address: '', port: '' }],
    ['Unknown:80', { address: '', port: '' }],
    ['_SEVKISEK', { address: '', port: '' }],
    ['_hidden.a-b:_p', { address: '', port: '' }],
    ['', null],
    ['_', null],
    ['256.0.0.1', null],
    ['1.2.3', null],
    ['1.2.3.4.', null],
    ['01.2.3.4', null],
    ['1.2.3.4:', null],
    ['1.2.3.4:65536', null],
    ['1.2.3.4:a', null],
    ['1.2.3.4:80:80', null],
    ['2001:db8::17', null],
    ['[2001:db8::17', null],
    ['[1.2.3.4]', null],
    ['[fe80::1%eth0]', null],
    ['[::1]x', null],
    ['example.com', null],
    ['localhost', null],
    ['1.2.3.4\n', null],
  ])('%j', (value, expected) => {
    expect(parseNode(value)).toEqual(expected)
  })

  test('every IPv4 address is one', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(parseNode(address)).toEqual({ address, port: '' })
      }),
    )
  })

  test('every IPv6 address is one, in brackets', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 0, max: 65535 }), (address, port) => {
        expect(parseNode(`[${address}]:${port}`)).toEqual({ address, port: String(port) })
      }),
    )
  })
})
