import { isIPv4, isIPv6 } from 'node:net'
import { quoteBytes } from '../../bytes/quoted.ts'
import { crc32c } from './crc32c.ts'
import type { ProxyHeader } from './proxy-header.ts'

/** Which versions of the PROXY protocol are accepted. */
export type ProxyVersions = 'v1' | 'v2' | 'auto'

/** What a connection has begun with. */
export type Beginning =
  /** It may become a header; more bytes are needed. */
  | { readonly kind: 'incomplete' }
  /** It is no header. */
  | { readonly kind: 'absent' }
  /** It is one, of so many bytes. */
  | { readonly kind: 'header'; readonly length: number; readonly header: HeaderFacts }
  /** It begins like one, and cannot be accepted. */
  | { readonly kind: 'malformed'; readonly reason: string }

export type HeaderFacts = Omit<ProxyHeader, 'sender'>

/** The most bytes of a header of version 2 that are read, with its addresses and TLVs. */
export const LONGEST_HEADER = 536
/** "PROXY TCP6 …" with the longest addresses, or UNKNOWN (§2.1 of the protocol). */
const LONGEST_LINE = 107

const LINE_START = Buffer.from('PROXY ')
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Signature, version and command, family, length. */
const FIXED = 16
const CR = 0x0d
const LF = 0x0a

const LOCAL = 0
const PROXY = 1
const STREAM = 1
const UNSPEC = 0
/** Bytes of the addresses, by family: none, IPv4, IPv6, unix. */
const ADDRESS_BYTES = [0, 12, 36, 216]
const FAMILY_NAMES = ['UNSPEC', 'TCP4', 'TCP6', 'UNIX']

const CHECKSUM = 0x03
const SSL = 0x20
const CLIENT_SSL = 0x01

const INCOMPLETE: Beginning = { kind: 'incomplete' }
const ABSENT: Beginning = { kind: 'absent' }

/**
 * Looks for a header of the PROXY protocol at the beginning of a connection: version 1, a line of
 * text, or version 2, which is binary (the specification of HAProxy, §2). Nothing is lenient: a
 * proxy that is wrong about one byte may be no proxy.
 *
 * @param bytes all that has come so far, up to {@link LONGEST_HEADER} or more
 */
export function parseProxyHeader(bytes: Buffer, versions: ProxyVersions): Beginning {
  if (startsLike(bytes, LINE_START)) {
    if (bytes.length < LINE_START.length) return INCOMPLETE
    if (versions === 'v2') return malformed('version 1 is not accepted (proxy_protocol v2)')
    return parseLine(bytes)
  }
  if (startsLike(bytes, SIGNATURE)) {
    if (bytes.length < SIGNATURE.length) return INCOMPLETE
    if (versions === 'v1') return malformed('version 2 is not accepted (proxy_protocol v1)')
    return parseBinary(bytes)
  }
  return ABSENT
}

/** Whether both are the same, as far as they go. */
function startsLike(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length)
  return bytes.compare(expected, 0, length, 0, length) === 0
}

function malformed(reason: string): Beginning {
  return { kind: 'malformed', reason }
}

// ---------------------------------------------------------------- version 1 (§2.1)

function parseLine(bytes: Buffer): Beginning {
  const limit = Math.min(bytes.length, LONGEST_LINE)
  const end = bytes.subarray(0, limit).indexOf(LF)
  if (end === -1) {
    if (bytes.length >= LONGEST_LINE) return badLine(bytes, LONGEST_LINE)
    return INCOMPLETE
  }
  if (bytes[end - 1] !== CR) return badLine(bytes, end)
  const line = bytes.toString('latin1', 0, end - 1)
  const header = readLine(line)
  return header === null ? badLine(bytes, end - 1) : { kind: 'header', length: end + 1, header }
}

function badLine(bytes: Buffer, end: number): Beginning {
  return malformed(`the line is malformed: ${quoteBytes(bytes, 0, end)}`)
}

function readLine(line: string): HeaderFacts | null {
  // What follows UNKNOWN must be ignored.
  if (/^PROXY UNKNOWN(?: [^\r]*)?$/.test(line)) return nobody('UNKNOWN')
  const parts = /^PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line)
  if (parts === null) return null
  const [, protocol, client, proxy, clientPort, proxyPort] = parts as unknown as string[]
  const isAddress = protocol === 'TCP4' ? isIPv4 : isPlainIPv6
  if (!isAddress(client!) || !isAddress(proxy!) || !isPort(clientPort!) || !isPort(proxyPort!))
    return null
  return {
    protocol: protocol!,
    clientAddress: client!,
    clientPort: Number(clientPort),
    proxyAddress: proxy!,
    proxyPort: Number(proxyPort),
    secure: false,
  }
}

/** A zone has a meaning only on its own machine. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function isPort(digits: string): boolean {
  return String(Number(digits)) === digits && Number(digits) <= 65535
}

// ---------------------------------------------------------------- version 2 (§2.2)

function parseBinary(bytes: Buffer): Beginning {
  if (bytes.length < FIXED) return INCOMPLETE
  const version = bytes[12]! >> 4
  const command = bytes[12]! & 0xf
  const family = bytes[13]! >> 4
  const transport = bytes[13]! & 0xf
  const length = FIXED + bytes.readUInt16BE(14)
  if (version !== 2) return malformed(`version ${version} is unknown`)
  if (command !== LOCAL && command !== PROXY) return malformed(`command ${command} is unknown`)
  if (length > LONGEST_HEADER)
    return malformed(`it has ${length} bytes, more than ${LONGEST_HEADER}`)
  const addressBytes = ADDRESS_BYTES[family]
  if (addressBytes === undefined || (command === PROXY && !isStream(family, transport)))
    return malformed(`family ${family} with transport ${transport} is not accepted`)
  if (command === PROXY && length < FIXED + addressBytes)
    return malformed(`${length - FIXED} bytes are too few for addresses of ${FAMILY_NAMES[family]}`)
  if (bytes.length < length) return INCOMPLETE
  // The proxy itself has connected, for example to check our health. What follows is skipped.
  if (command === LOCAL) return { kind: 'header', length, header: nobody('LOCAL') }
  const tlvs = readTlvs(bytes.subarray(0, length), FIXED + addressBytes)
  if (typeof tlvs === 'string') return malformed(tlvs)
  const header = { ...readAddresses(bytes, family), secure: tlvs.secure }
  return { kind: 'header', length, header }
}

function isStream(family: number, transport: number): boolean {
  return family === UNSPEC ? transport === 0 : transport === STREAM
}

function readAddresses(bytes: Buffer, family: number): HeaderFacts {
  const protocol = FAMILY_NAMES[family]!
  if (protocol === 'TCP4') {
    return {
      protocol,
      clientAddress: bytes.subarray(16, 20).join('.'),
      clientPort: bytes.readUInt16BE(24),
      proxyAddress: bytes.subarray(20, 24).join('.'),
      proxyPort: bytes.readUInt16BE(26),
      secure: false,
    }
  }
  if (protocol === 'TCP6') {
    return {
      protocol,
      clientAddress: formatIPv6(bytes, 16),
      clientPort: bytes.readUInt16BE(48),
      proxyAddress: formatIPv6(bytes, 32),
      proxyPort: bytes.readUInt16BE(50),
      secure: false,
    }
  }
  // The path of a unix socket is no address that limits or lists could use.
  return nobody(protocol)
}

/** As the kernel writes it (RFC 5952), also of a mapped IPv4 address. */
function formatIPv6(bytes: Buffer, start: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(start + 2 * i))
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return `::ffff:${bytes.subarray(start + 12, start + 16).join('.')}`
  const text = groups.map((group) => group.toString(16)).join(':')
  return new URL(`http://[${text}]`).hostname.slice(1, -1)
}

/**
 * Checks the TLVs after the addresses, and the checksum if there is one. All others but that about
 * TLS are skipped.
 *
 * @returns what is wrong, or whether the client has used TLS
 */
function readTlvs(header: Buffer, start: number): string | { readonly secure: boolean } {
  let secure = false
  for (let at = start; at < header.length; ) {
    if (at + 3 > header.length) return 'a TLV is cut off'
    const type = header[at]!
    const value = at + 3
    const end = value + header.readUInt16BE(at + 1)
    if (end > header.length) return 'a TLV is cut off'
    if (type === CHECKSUM) {
      if (end - value !== 4) return 'the checksum has not four bytes'
      const sum = header.readUInt32BE(value)
      const zeroed = Buffer.from(header)
      zeroed.fill(0, value, end)
      if (crc32c(zeroed) !== sum) return 'the checksum is wrong'
    } else if (type === SSL) {
      if (end - value < 5) return 'the TLV about TLS is cut off'
      secure = (header[value]! & CLIENT_SSL) !== 0
    }
    at = end
  }
  return { secure }
}

function nobody(protocol: string): HeaderFacts {
  return {
    protocol,
    clientAddress: null,
    clientPort: 0,
    proxyAddress: '',
    proxyPort: 0,
    secure: false,
  }
}
