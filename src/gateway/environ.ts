import type { Peer } from '../http/exchange.ts'
import type { FieldName } from '../http/field-names.ts'
import { HOST, TRANSFER_ENCODING, WELL_KNOWN_NAMES } from '../http/field-names.ts'
import type { RequestHead } from '../http/request-head.ts'
import { splitAuthority } from '../semantics/authority.ts'
import { decodePercentBytes, hasPercent } from '../semantics/percent.ts'
import { valueSeparator } from '../semantics/repeated-fields.ts'
import { environKey } from '../wsgi/environ.ts'
import {
  beginDict,
  encodePair,
  encodeString,
  endDict,
  writeBytes,
  writeEncoded,
} from './marshal.ts'

/** What of a request's environ does not stand in its head. */
export interface EnvironFacts {
  readonly head: RequestHead
  readonly peer: Peer
  /**
   * The length of a chunked body that has been read whole, or -1: the application then sees a
   * Content-Length and no Transfer-Encoding.
   */
  readonly readLength: number
}

const SLASH = 0x2f

const ROOT = Buffer.of(SLASH)
export const PROXY = WELL_KNOWN_NAMES.indexOf('proxy')
const PATH_INFO = encodeString('PATH_INFO')
const QUERY_STRING = encodeString('QUERY_STRING')
const RAW_URI = encodeString('RAW_URI')
const REQUEST_URI = encodeString('REQUEST_URI')
const HTTP_HOST = encodeString('HTTP_HOST')
const REQUEST_METHOD = encodeString('REQUEST_METHOD')
const CONTENT_LENGTH_KEY = encodeString('CONTENT_LENGTH')
const USUAL_PROTOCOL = 'HTTP/1.1'
const SCHEME_HTTPS = Buffer.concat([
  encodePair('wsgi.url_scheme', 'https'),
  encodePair('HTTPS', 'on'),
])
const METHODS = new Map(
  ['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'].map((method) => [
    method,
    encodePair('REQUEST_METHOD', method),
  ]),
)

/**
 * Bytes of everything whose size does not depend on the request: keys, short values, marshal's own.
 */
const FIXED = 1024
/** Up to this many fields, repeated names are looked for among all. */
const MANY_FIELDS = 256
/** A field costs its key's `HTTP_` and two marshal heads beside its own bytes. */
const PER_FIELD = 16

/**
 * What most requests have in common. A worker knows it from the beginning ("environ" in START), and
 * an environ leaves out what is no other: a variable less is a string less to make, twice.
 *
 * @param rootPath see {@link EnvironWriter}
 */
export function usualEnviron(rootPath: string): Readonly<Record<string, string>> {
  return {
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: Buffer.from(rootPath, 'utf8').toString('latin1'),
    QUERY_STRING: '',
    SERVER_PROTOCOL: USUAL_PROTOCOL,
    'wsgi.url_scheme': 'http',
  }
}

/**
 * Writes environs: from the bytes of a parsed head straight into marshalled bytes, with no string
 * made on the way (what it costs to make them twice, here and in Python, was a quarter of a
 * request). The keys follow PEP 3333 "environ Variables" and RFC 3875 §4.1; every value is the
 * latin-1 view of the request's bytes.
 */
export class EnvironWriter {
  readonly #rootPath: Buffer
  /** By {@link FieldName.id}: the number of the environ in which that name was last seen. */
  readonly #seen = new Uint32Array(WELL_KNOWN_NAMES.length)
  #number = 0
  #scratch = Buffer.alloc(8192)

  /** @param rootPath what `SCRIPT_NAME` is, `''` or a path such as `/shop` */
  constructor(rootPath: string) {
    this.#rootPath = Buffer.from(rootPath, 'utf8')
  }

  /** An upper bound of what {@link write} writes, in bytes. */
  bound({ head, peer }: EnvironFacts): number {
    const fields = head.fields
    const last = head.fieldCount === 0 ? head.targetEnd : fields[head.fieldCount * 4 - 1]
    const target = head.targetEnd - head.targetStart
    // The target stands in up to four values; a byte becomes two at the most.
    return (
      FIXED +
      8 * target +
      2 * (last - head.targetEnd) +
      PER_FIELD * head.fieldCount +
      2 * head.method.length +
      4 * peer.remoteAddress.length
    )
  }

  /**
   * Writes the environ of a request, but for what is {@link usualEnviron}, as a marshalled dict of
   * str to str at `start`; returns where it ends.
   */
  write(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head, peer } = facts
    const bytes = head.bytes
    let at = beginDict(out, start)
    if (head.method !== 'GET') {
      const method = METHODS.get(head.method)
      at =
        method !== undefined
          ? writeEncoded(out, at, method)
          : writeEncoded(out, writeEncoded(out, at, REQUEST_METHOD), encodeString(head.method))
    }
    at = this.#writePath(head, out, at)
    if (head.queryStart !== head.queryEnd) {
      at = writeEncoded(out, at, QUERY_STRING)
      at = writeBytes(out, at, bytes, head.queryStart, head.queryEnd)
    }
    at = writeEncoded(out, at, RAW_URI)
    at = writeBytes(out, at, bytes, head.targetStart, head.targetEnd)
    at = writeEncoded(out, at, REQUEST_URI)
    at = writeBytes(out, at, bytes, head.targetStart, head.targetEnd)
    if (head.protocol !== USUAL_PROTOCOL) at = writeEncoded(out, at, encodeProtocol(head.protocol))
    if (head.secure) at = writeEncoded(out, at, SCHEME_HTTPS)
    at = writeEncoded(out, at, (peer.environPart as Uint8Array | null) ?? encodePeer(facts))
    at = this.#writeFields(facts, out, at)
    return endDict(out, at)
  }

  /** `PATH_INFO`. A proxy may or may not have taken the root path off; both kinds are met. */
  #writePath(head: RequestHead, out: Buffer, start: number): number {
    const at = writeEncoded(out, start, PATH_INFO)
    let bytes: Uint8Array = head.bytes
    let from = head.pathStart
    let to = head.pathEnd
    if (head.targetForm === 'asterisk') return writeBytes(out, at, bytes, from, from)
    // RFC 9112 §3.2.4: an absolute-form target without a path means the server itself for OPTIONS;
    // else it is "/".
    if (from === to && head.method !== 'OPTIONS') return writeBytes(out, at, ROOT, 0, 1)
    if (hasPercent(bytes, from, to)) {
      if (this.#scratch.length < to - from) this.#scratch = Buffer.alloc(to - from)
      to = decodePercentBytes(bytes, from, to, this.#scratch)
      from = 0
      bytes = this.#scratch
    }
    const root = this.#rootPath
    if (root.length !== 0 && startsWithPath(bytes, from, to, root)) from += root.length
    return writeBytes(out, at, bytes, from, to)
  }

  #writeFields(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head } = facts
    const { bytes, fields, names, fieldCount } = head
    if (++this.#number > 0xffffffff) {
      // Half a day at full speed: old numbers must not be taken for this one.
      this.#seen.fill(0)
      this.#number = 1
    }
    const number = this.#number
    const places = fieldCount > MANY_FIELDS ? placesByName(head) : null
    let at = start
    for (let i = 0; i < fieldCount; i++) {
      const name = names[i]
      const id = name.id
      if (id >= 0) {
        if (this.#seen[id] === number) continue // joined with the first of its name below
        this.#seen[id] = number
        if (id === TRANSFER_ENCODING && facts.readLength >= 0) continue
        if (id === HOST && head.hasAuthority) continue
        // HTTP_PROXY would be taken for the variable that names a proxy for outgoing requests
        // ("httpoxy", CVE-2016-5385).
        if (id === PROXY) continue
      } else if ((places === null ? indexOfName(names, name, 0) : places.get(name.lower)![0]) < i) {
        continue
      }
      name.environKey ??= encodeString(environKey(name.lower))
      at = writeEncoded(out, at, name.environKey)
      const valueStart = fields[i * 4 + 2]
      const valueEnd = fields[i * 4 + 3]
      const all = places === null ? placesOf(names, name, i) : places.get(name.lower)!
      at =
        all === null || all.length === 1
          ? writeBytes(out, at, bytes, valueStart, valueEnd)
          : this.#writeJoined(head, name, all, out, at)
    }
    if (facts.readLength >= 0) {
      at = writeEncoded(out, at, CONTENT_LENGTH_KEY)
      at = writeEncoded(out, at, encodeString(String(facts.readLength)))
    }
    if (head.hasAuthority) {
      // RFC 9112 §3.2.2: the authority of the target stands for a Host field.
      at = writeEncoded(out, at, HTTP_HOST)
      at = writeBytes(out, at, bytes, head.authorityStart, head.authorityEnd)
    }
    return at
  }

  /** The values of several fields of one name as one value, see {@link valueSeparator}. */
  #writeJoined(
    head: RequestHead,
    name: FieldName,
    places: readonly number[],
    out: Buffer,
    at: number,
  ): number {
    const parts: Buffer[] = []
    const separator = Buffer.from(valueSeparator(name.lower), 'latin1')
    for (const i of places) {
      if (parts.length > 0) parts.push(separator)
      parts.push(head.bytes.subarray(head.fields[i * 4 + 2], head.fields[i * 4 + 3]))
    }
    const joined = Buffer.concat(parts)
    return writeBytes(out, at, joined, 0, joined.length)
  }
}

/** The first field from `from` on that has this name, or the number of fields. */
function indexOfName(names: readonly FieldName[], name: FieldName, from: number): number {
  const count = names.length
  for (let i = from; i < count; i++) {
    const other = names[i]
    if (other === name || (name.id < 0 && other.hash === name.hash && other.lower === name.lower))
      return i
  }
  return count
}

/** Where the fields of this name are from its first place on, or null when that is the only one. */
function placesOf(names: readonly FieldName[], name: FieldName, first: number): number[] | null {
  let next = indexOfName(names, name, first + 1)
  if (next === names.length) return null
  const places = [first]
  for (; next < names.length; next = indexOfName(names, name, next + 1)) places.push(next)
  return places
}

/**
 * The same for all names at once: looking for each among all would take seconds for tens of
 * thousands of fields.
 */
function placesByName(head: RequestHead): Map<string, number[]> {
  const byName = new Map<string, number[]>()
  for (let i = 0; i < head.fieldCount; i++) {
    const { lower } = head.names[i]
    const places = byName.get(lower)
    if (places === undefined) byName.set(lower, [i])
    else places.push(i)
  }
  return byName
}

/** What an environ says of the connection; the same for all its requests. */
function encodePeer(facts: EnvironFacts): Buffer {
  const { peer } = facts
  const { name, port, own } = serverAddress(facts)
  const part = Buffer.concat([
    encodePair('SERVER_NAME', name),
    encodePair('SERVER_PORT', port),
    encodePair('REMOTE_ADDR', peer.remoteAddress),
    encodePair('REMOTE_PORT', peer.remoteAddress === '' ? '' : String(peer.remotePort)),
  ])
  if (own) peer.environPart = part
  return part
}

/**
 * `SERVER_NAME` and `SERVER_PORT`; `own` when they are the connection's, and so the same for all
 * its requests.
 */
export function serverAddress({ peer, head }: EnvironFacts): {
  name: string
  port: string
  own: boolean
} {
  if (peer.localAddress !== '')
    return { name: peer.localAddress, port: String(peer.localPort), own: true }
  // A unix socket has no name or port of its own, and neither may be empty (PEP 3333): what the
  // client asked for.
  const host = head.hasAuthority
    ? head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
    : (head.get('host') ?? '')
  const authority = splitAuthority(host)
  return {
    name: authority?.host || 'localhost',
    port: authority?.port || (head.secure ? '443' : '80'),
    own: false,
  }
}

const PROTOCOLS = new Map<string, Buffer>()

/** There are as few of these as versions of HTTP. */
function encodeProtocol(protocol: string): Buffer {
  let pair = PROTOCOLS.get(protocol)
  if (pair === undefined) {
    pair = encodePair('SERVER_PROTOCOL', protocol)
    PROTOCOLS.set(protocol, pair)
  }
  return pair
}

export function startsWithPath(
  bytes: Uint8Array,
  from: number,
  to: number,
  prefix: Buffer,
): boolean {
  const end = from + prefix.length
  if (end > to || (end < to && bytes[end] !== SLASH)) return false
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[from + i] !== prefix[i]) return false
  }
  return true
}
