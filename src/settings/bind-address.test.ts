import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BindAddress,
  BindAddressError,
  formatBindAddress,
  parseBindAddress,
} from './bind-address.ts'

describe('bind addresses', () => {
  test.each<[string, BindAddress]>([
    ['127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['127.0.0.1', { kind: 'tcp', host: '127.0.0.1', port: 8000 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['Example.ORG:80', { kind: 'tcp', host: 'example.org', port: 80 }],
    [':9000', { kind: 'tcp', host: '0.0.0.0', port: 9000 }],
    ['[::1]:9000', { kind: 'tcp', host: '::1', port: 9000 }],
    ['[::]', { kind: 'tcp', host: '::', port: 8000 }],
    ['tcp://127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['unix:/run/a.sock', { kind: 'unix', path: '/run/a.sock' }],
    ['unix:///run/a.sock', { kind: 'unix', path: '/run/a.sock' }],
    ['unix:a:b.sock', { kind: 'unix', path: 'a:b.sock' }],
    ['unix:@site', { kind: 'unix', path: '\0site' }],
    ['unix:\0site', { kind: 'unix', path: '\0site' }],
    ['unix:./@site', { kind: 'unix', path: './@site' }],
    ['fd://3', { kind: 'fd', fd: 3 }],
    ['tls:127.0.0.1:443', { kind: 'tcp', host: '127.0.0.1', port: 443, tls: true }],
    ['tls:[::1]:443', { kind: 'tcp', host: '::1', port: 443, tls: true }],
    ['tls::443', { kind: 'tcp', host: '0.0.0.0', port: 443, tls: true }],
    ['tls:unix:/run/a.sock', { kind: 'unix', path: '/run/a.sock', tls: true }],
    ['tls://127.0.0.1:443', { kind: 'tcp', host: '127.0.0.1', port: 443, tls: true }],
    ['https:443', { kind: 'tcp', host: 'https', port: 443 }],
    ['tls:fd://3', { kind: 'fd', fd: 3, tls: true }],
  ])('%s is understood', (text, address) => {
    expect(parseBindAddress(text)).toEqual(address)
  })

  test.each([
    '',
    'unix:',
    'unix:\0',
    'unix:a\0b',
    'fd://',
    'tls:',
    'tls:443',
    'fd://-1',
    'fd://x',
    '::1',
    '::1:8000',
    '[127.0.0.1]:80',
    '[::1]x',
    '[::1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:80 ',
    '127.0.0.1:8e1',
    '127.0.0.256:80',
    '1.2.3:80',
    'a b:80',
    'http://localhost:80',
    'https:localhost:443',
    'ssl:0.0.0.0:443',
    'host:80:90',
    '-host:80',
  ])('%j is refused', (text) => {
    expect(() => parseBindAddress(text)).toThrow(BindAddressError)
  })

  test('an IPv6 address without brackets gets the hint to write them', () => {
    expect(() => parseBindAddress('::1')).toThrow('[::1]:8000')
  })

  const addresses: fc.Arbitrary<BindAddress> = fc.oneof(
    fc.record({
      kind: fc.constant('tcp' as const),
      host: fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()).map((host) => host.toLowerCase()),
      port: fc.integer({ min: 0, max: 65535 }),
    }),
    fc.record({
      kind: fc.constant('unix' as const),
      path: fc.string({ minLength: 1 }).filter((path) => !/\0|^@./s.test(path)),
    }),
    fc.record({ kind: fc.constant('fd' as const), fd: fc.integer({ min: 0, max: 9999999 }) }),
  )

  test('every address survives being written and read', () => {
    fc.assert(
      fc.property(addresses, (address) => {
        expect(parseBindAddress(formatBindAddress(address))).toEqual(address)
      }),
    )
  })

  test('any text is either understood or refused with our error', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'a1.:[]-/%unixtcp \0é'), maxLength: 20 }),
        (text) => {
          try {
            const address = parseBindAddress(text)
            expect(parseBindAddress(formatBindAddress(address))).toEqual(address)
          } catch (error) {
            expect(error).toBeInstanceOf(BindAddressError)
          }
        },
      ),
    )
  })
})
