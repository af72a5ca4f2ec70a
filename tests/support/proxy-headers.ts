import { crc32c } from '../../src/transport/proxy-protocol/crc32c.ts'

/** Headers of the PROXY protocol, as proxies send them. */

export const V1 = 'PROXY TCP4 192.0.2.9 198.51.100.1 5678 443\r\n'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const CHECKSUM = 0x03

interface V2 {
  /** Version and command: 0x21 for PROXY, 0x20 for LOCAL. */
  readonly command?: number
  /** Family and transport: 0x11 for TCP over IPv4. */
  readonly family?: number
  readonly addresses?: Buffer
  readonly tlvs?: readonly Buffer[]
  readonly checksum?: 'right' | 'wrong'
}

/** The addresses 192.0.2.9:5678 → 198.51.100.1:443. */
export const IPV4 = Buffer.from([192, 0, 2, 9, 198, 51, 100, 1, 0x16, 0x2e, 0x01, 0xbb])

/** The addresses [2001:db8::9]:5678 → [2001:db8::1]:443. */
export const IPV6 = Buffer.from(
  '20010db8000000000000000000000009' + '20010db8000000000000000000000001' + '162e01bb',
  'hex',
)

/** A header of version 2; without options, TCP over IPv4. */
export function v2(options: V2 = {}): Buffer {
  const { command = 0x21, family = 0x11, addresses = IPV4, tlvs = [], checksum } = options
  const sum = checksum === undefined ? [] : [tlv(CHECKSUM, Buffer.alloc(4))]
  const rest = Buffer.concat([addresses, ...tlvs, ...sum])
  const fixed = Buffer.from([command, family, rest.length >> 8, rest.length & 0xff])
  const header = Buffer.concat([SIGNATURE, fixed, rest])
  if (checksum !== undefined) {
    const value = crc32c(header)
    header.writeUInt32BE(checksum === 'right' ? value : value ^ 1, header.length - 4)
  }
  return header
}

export function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value])
}

/** The TLV by which a proxy says whether the client used TLS. */
export function sslTlv(used: boolean): Buffer {
  return tlv(0x20, Buffer.from([used ? 1 : 0, 0, 0, 0, 0]))
}
