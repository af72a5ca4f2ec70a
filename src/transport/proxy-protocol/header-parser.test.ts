import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { IPV4, IPV6, sslTlv, tlv, V1, v2 } from '../../../tests/support/proxy-headers.ts'
import { crc32c } from './crc32c.ts'
import { LONGEST_HEADER, type ProxyVersions, parseProxyHeader } from './header-parser.ts'

const parse = (bytes: Buffer | string, versions: ProxyVersions = 'auto') =>
  parseProxyHeader(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, versions)

const NOBODY = {
  clientAddress: null,
  clientPort: 0,
  proxyAddress: '',
  proxyPort: 0,
  secure: false,
}
const CLIENT4 = {
  protocol: 'TCP4',
  clientAddress: '192.0.2.9',
  clientPort: 5678,
  proxyAddress: '198.51.100.1',
  proxyPort: 443,
  secure: false,
}
const CLIENT6 = {
  ...CLIENT4,
  protocol: 'TCP6',
  clientAddress: '2001:db8::9',
  proxyAddress: '2001:db8::1',
}

test('the checksum is CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
})

describe('version 1', () => {
  test.each([
    [V1, CLIENT4],
    ['PROXY TCP6 2001:db8::9 2001:db8::1 5678 443\r\n', CLIENT6],
    ['PROXY UNKNOWN\r\n', { protocol: 'UNKNOWN', ...NOBODY }],
    ['PROXY UNKNOWN ffff:f::1 what ever\r\n', { protocol: 'UNKNOWN', ...NOBODY }],
  ])('%j is read', (line, header) => {
    for (const versions of ['v1', 'auto'] as const) {
      const found = { kind: 'header', length: line.length, header }
      expect(parse(line, versions)).toEqual(found)
      expect(parse(`${line}GET / HTTP/1.1\r\n`, versions)).toEqual(found)
    }
  })

  test.each([
    'PROXY \r\n',
    'PROXY TCP4\r\n',
    'PROXY tcp4 192.0.2.9 198.51.100.1 5678 443\r\n',
    'PROXY UDP4 192.0.2.9 198.51.100.1 5678 443\r\n',
    'PROXY  TCP4 192.0.2.9 198.51.100.1 5678 443\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 5678 443 \r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 5678\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 5678 443 1\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 05678 443\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 65536 443\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 -1 443\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.1 5678 443\r\n',
    'PROXY TCP4 192.0.2.09 198.51.100.1 5678 443\r\n',
    'PROXY TCP4 2001:db8::9 2001:db8::1 5678 443\r\n',
    'PROXY TCP6 192.0.2.9 198.51.100.1 5678 443\r\n',
    'PROXY TCP6 fe80::1%eth0 fe80::2 5678 443\r\n',
    'PROXY TCP6 [2001:db8::9] 2001:db8::1 5678 443\r\n',
    'PROXY TCP4 localhost 198.51.100.1 5678 443\r\n',
    'PROXY TCP4 192.0.2.9 198.51.100.1 5678 443\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY UNKNOWN a\rb\r\n',
    `PROXY UNKNOWN ${'a'.repeat(200)}`,
    'PROXY / HTTP/1.1\r\n',
  ])('%j is refused', (line) => {
    expect(parse(line)).toMatchObject({ kind: 'malformed' })
  })

  it('has 107 bytes at most', () => {
    const line = (length: number) => `PROXY UNKNOWN ${'a'.repeat(length - 16)}\r\n`
    expect(parse(line(107))).toMatchObject({ kind: 'header', length: 107 })
    expect(parse(line(108))).toMatchObject({ kind: 'malformed' })
    expect(parse('PROXY UNKNOWN'.padEnd(106, ' a'))).toEqual({ kind: 'incomplete' })
    expect(parse('PROXY UNKNOWN'.padEnd(107, ' a'))).toMatchObject({ kind: 'malformed' })
  })

  it('is refused if only version 2 is accepted', () => {
    expect(parse(V1, 'v2')).toMatchObject({ kind: 'malformed' })
  })
})

describe('version 2', () => {
  test.each<[string, Buffer, object]>([
    ['IPv4', v2(), CLIENT4],
    ['IPv6', v2({ family: 0x21, addresses: IPV6 }), CLIENT6],
    [
      'a mapped address',
      v2({
        family: 0x21,
        addresses: Buffer.concat([
          Buffer.from('00000000000000000000ffffc0000209', 'hex'),
          IPV6.subarray(16),
        ]),
      }),
      { ...CLIENT6, clientAddress: '::ffff:192.0.2.9' },
    ],
    [
      'a unix socket',
      v2({ family: 0x31, addresses: Buffer.alloc(216) }),
      { protocol: 'UNIX', ...NOBODY },
    ],
    ['nobody', v2({ family: 0, addresses: Buffer.alloc(0) }), { protocol: 'UNSPEC', ...NOBODY }],
    [
      'LOCAL',
      v2({ command: 0x20, family: 0, addresses: Buffer.alloc(0) }),
      { protocol: 'LOCAL', ...NOBODY },
    ],
    [
      'LOCAL with addresses, which are skipped',
      v2({ command: 0x20 }),
      { protocol: 'LOCAL', ...NOBODY },
    ],
    [
      'unknown TLVs',
      v2({ tlvs: [tlv(0xea, Buffer.from('x')), tlv(0x04, Buffer.alloc(9))] }),
      CLIENT4,
    ],
    ['TLS', v2({ tlvs: [sslTlv(true)] }), { ...CLIENT4, secure: true }],
    ['no TLS', v2({ tlvs: [sslTlv(false)] }), CLIENT4],
    ['a checksum', v2({ tlvs: [tlv(1, Buffer.from('h2'))], checksum: 'right' }), CLIENT4],
  ])('%s', (_, header, expected) => {
    for (const versions of ['v2', 'auto'] as const) {
      const found = { kind: 'header', length: header.length, header: expected }
      expect(parse(header, versions)).toEqual(found)
      expect(parse(Buffer.concat([header, Buffer.from('GET /')]), versions)).toEqual(found)
    }
  })

  test.each<[string, Buffer]>([
    ['version 1', v2({ command: 0x11 })],
    ['version 3', v2({ command: 0x31 })],
    ['command 2', v2({ command: 0x22 })],
    ['UDP', v2({ family: 0x12 })],
    ['no transport', v2({ family: 0x10 })],
    ['family 4', v2({ family: 0x41 })],
    ['too few bytes', v2({ addresses: IPV4.subarray(1) })],
    ['too few bytes for IPv6', v2({ family: 0x21, addresses: IPV6.subarray(1) })],
    ['too few bytes for a unix socket', v2({ family: 0x31, addresses: Buffer.alloc(215) })],
    ['a wrong checksum', v2({ checksum: 'wrong' })],
    ['a short checksum', v2({ tlvs: [tlv(3, Buffer.alloc(3))] })],
    ['half a TLV', v2({ tlvs: [Buffer.from([1, 0])] })],
    ['a TLV beyond the end', v2({ tlvs: [Buffer.from([1, 0, 9, 1])] })],
    ['a short TLV about TLS', v2({ tlvs: [tlv(0x20, Buffer.from([1]))] })],
    ['more than 536 bytes', v2({ tlvs: [tlv(0xea, Buffer.alloc(600))] })],
  ])('%s is refused', (_, header) => {
    expect(parse(header)).toMatchObject({ kind: 'malformed' })
  })

  it('is refused as too long before it has come', () => {
    const header = v2({ tlvs: [tlv(0xea, Buffer.alloc(600))] })
    expect(parse(header.subarray(0, 16))).toMatchObject({ kind: 'malformed' })
    const longest = v2({ tlvs: [tlv(0xea, Buffer.alloc(LONGEST_HEADER - 16 - 12 - 3))] })
    expect(longest.length).toBe(536)
    expect(parse(longest)).toMatchObject({ kind: 'header' })
  })

  it('is refused if only version 1 is accepted', () => {
    expect(parse(v2(), 'v1')).toMatchObject({ kind: 'malformed' })
  })
})

test.each([
  'GET / HTTP/1.1\r\n',
  'PROPFIND / HTTP/1.1',
  'P ',
  '\r\nGET /',
  '\x16\x03\x01',
  '\r\n\r\nX',
  ' PROXY',
])('%j is no header', (text) => expect(parse(text)).toEqual({ kind: 'absent' }))

it('says the same however the bytes are split, and never reads beyond the header', () => {
  const good = [
    Buffer.from(V1),
    v2({ tlvs: [sslTlv(true)], checksum: 'right' }),
    v2({ command: 0x20 }),
  ]
  for (const header of good) {
    for (let length = 0; length < header.length; length++) {
      expect(parse(header.subarray(0, length))).toEqual({ kind: 'incomplete' })
    }
  }
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .tuple(fc.constantFrom(...good), fc.uint8Array({ maxLength: 8 }), fc.nat(50))
      .map(([header, noise, at]) => {
        const changed = Buffer.from(header)
        changed.set(
          noise.subarray(0, Math.max(0, changed.length - at)),
          Math.min(at, changed.length),
        )
        return changed
      }),
  )
  fc.assert(
    fc.property(bytes, (input) => {
      const all = Buffer.from(input)
      let decided = false
      for (let length = 0; length <= all.length; length++) {
        const found = parse(all.subarray(0, length))
        // Once decided, more bytes change nothing.
        if (decided) expect(found.kind).not.toBe('incomplete')
        if (found.kind !== 'incomplete') decided = true
        if (found.kind === 'header') {
          expect(found.length).toBeLessThanOrEqual(length)
          expect(parse(all)).toEqual(found)
        }
      }
    }),
  )
})
