import { Span } from '../bytes/span.ts'
import type { FieldName } from '../http/field-names.ts'
import { TRANSFER_ENCODING, WELL_KNOWN_NAMES } from '../http/field-names.ts'
import { PathInfo } from '../http/path-info.ts'
import type { Peer } from '../http/peer.ts'
import type { RequestHead } from '../http/request-head.ts'
import { valueSeparator } from '../semantics/repeated-fields.ts'
import { environKey } from '../wsgi/environ.ts'
import { type EnvironFacts, isHidden, peerVariables } from './environ-facts.ts'
import {
  beginDict,
  encodePair,
  encodeString,
  endDict,
  writeBytes,
  writeEncoded,
} from './marshal.ts'
import { sslVariablesOf } from './ssl-variables.ts'

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

/** Bytes for all that does not depend on the request's size: keys, short values, marshal's own. */
const FIXED = 1024
/** Up to this many fields, each name is compared with all others to find repeated ones. */
const MANY_FIELDS = 256
/** A field costs its key's `HTTP_` and two marshal heads in addition to its own bytes. */
const PER_FIELD = 16

/**
 * The variables that most requests have in common. A worker gets them once ("environ" in START),
 * and an environ leaves out those that have the usual value: that saves making their strings twice.
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
 * Writes environs for workers: from the bytes of a parsed head directly into marshalled bytes,
 * without strings (making them twice, here and in Python, was a quarter of the cost of a request).
 * The keys follow PEP 3333 "environ Variables" and RFC 3875 §4.1; every value is the latin-1 view
 * of the request's bytes.
 */
export class EnvironWriter {
  readonly #pathInfo: PathInfo
  /** Points at the bytes that are written next. Empty between two environs. */
  readonly #source = new Span()
  /** The number of the last environ with a well-known name, by {@link FieldName.id}. */
  readonly #seen = new Uint32Array(WELL_KNOWN_NAMES.length)
  #number = 0

  /** @param rootPath what `SCRIPT_NAME` is: `''`, or a path such as `/shop` */
  constructor(rootPath: string) {
    this.#pathInfo = new PathInfo(Buffer.from(rootPath, 'utf8'))
  }

  /** An upper bound of what {@link write} writes, in bytes. */
  bound({ head, peer }: EnvironFacts): number {
    const fields = head.fields
    const last = head.fieldCount === 0 ? head.targetEnd : fields[head.fieldCount * 4 - 1]
    const target = head.targetEnd - head.targetStart
    // The target is part of up to four values; a byte becomes two at most.
    return (
      FIXED +
      8 * target +
      2 * (last - head.targetEnd) +
      PER_FIELD * head.fieldCount +
      2 * head.method.length +
      4 * peer.remoteAddress.length +
      2 * (head.authorityEnd - head.authorityStart) +
      2 * (head.scriptName?.length ?? 0) +
      (peer.tls === null ? 0 : sslBound(peer))
    )
  }

  /**
   * Writes the environ of a request, without what is as in {@link usualEnviron}, as a marshalled
   * dict of str to str.
   *
   * @returns where it ends
   */
  write(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head, peer } = facts
    const bytes = head.bytes
    const source = this.#source
    let at = beginDict(out, start)
    if (head.method !== 'GET') {
      const method = METHODS.get(head.method)
      at =
        method !== undefined
          ? writeEncoded(out, at, method)
          : writeEncoded(out, writeEncoded(out, at, REQUEST_METHOD), encodeString(head.method))
    }
    if (head.scriptName !== null)
      at = writeEncoded(out, at, encodePair('SCRIPT_NAME', head.scriptName))
    at = writeEncoded(out, at, PATH_INFO)
    at = writeBytes(out, at, this.#pathInfo.of(head))
    if (head.queryStart !== head.queryEnd) {
      at = writeEncoded(out, at, QUERY_STRING)
      at = writeBytes(out, at, source.set(bytes, head.queryStart, head.queryEnd))
    }
    at = writeEncoded(out, at, RAW_URI)
    source.set(bytes, head.targetStart, head.targetEnd)
    at = writeBytes(out, at, source)
    at = writeEncoded(out, at, REQUEST_URI)
    at = writeBytes(out, at, source)
    if (head.protocol !== USUAL_PROTOCOL) at = writeEncoded(out, at, encodeProtocol(head.protocol))
    if (head.secure) at = writeEncoded(out, at, SCHEME_HTTPS)
    at = writeEncoded(out, at, (peer.environPart as Uint8Array | null) ?? encodePeer(facts))
    at = this.#writeFields(facts, out, at)
    source.clear()
    return endDict(out, at)
  }

  #writeFields(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head } = facts
    const { bytes, fields, names, fieldCount } = head
    const source = this.#source
    if (++this.#number > 0xffffffff) {
      // After half a day at full speed: an old number must not pass for this one.
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
        if (isHidden(name, head)) continue
      } else if ((places === null ? indexOfName(names, name, 0) : places.get(name.lower)![0]) < i) {
        continue
      }
      name.environKey ??= encodeString(environKey(name.lower))
      at = writeEncoded(out, at, name.environKey)
      const valueStart = fields[i * 4 + 2]
      const valueEnd = fields[i * 4 + 3]
      const all = places === null ? placesOf(names, name, i) : places.get(name.lower)!
      if (all === null || all.length === 1) source.set(bytes, valueStart, valueEnd)
      else joinValues(head, all, source)
      at = writeBytes(out, at, source)
    }
    if (facts.readLength >= 0) {
      at = writeEncoded(out, at, CONTENT_LENGTH_KEY)
      at = writeEncoded(out, at, encodeString(String(facts.readLength)))
    }
    if (head.hasAuthority) {
      at = writeEncoded(out, at, HTTP_HOST)
      at = writeBytes(out, at, source.set(bytes, head.authorityStart, head.authorityEnd))
    }
    return at
  }
}

/**
 * Points `out` at the values of several fields of one name as one value, see
 * {@link valueSeparator}.
 */
function joinValues(head: RequestHead, places: readonly number[], out: Span): void {
  const { bytes, fields, names } = head
  const separator = Buffer.from(valueSeparator(names[places[0]].lower), 'latin1')
  const parts: Buffer[] = []
  for (const i of places) {
    if (parts.length > 0) parts.push(separator)
    parts.push(bytes.subarray(fields[i * 4 + 2], fields[i * 4 + 3]))
  }
  const joined = Buffer.concat(parts)
  out.set(joined, 0, joined.length)
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

/** The places of all fields of this name, or null if there is only the first one. */
function placesOf(names: readonly FieldName[], name: FieldName, first: number): number[] | null {
  let next = indexOfName(names, name, first + 1)
  if (next === names.length) return null
  const places = [first]
  for (; next < names.length; next = indexOfName(names, name, next + 1)) places.push(next)
  return places
}

/**
 * The same for all names at once: for tens of thousands of fields, comparing each with all would
 * take seconds.
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

/** The part of an environ that describes the connection. */
function encodePeer(facts: EnvironFacts): Buffer {
  const variables = peerVariables(facts)
  const part = Buffer.concat([
    encodePair('SERVER_NAME', variables.serverName),
    encodePair('SERVER_PORT', variables.serverPort),
    encodePair('REMOTE_ADDR', variables.remoteAddress),
    encodePair('REMOTE_PORT', variables.remotePort),
    ...Object.entries(variables.proxied).map(([key, value]) => encodePair(key, value)),
    ...variables.ssl.map(([name, value]) => encodePair(name, value)),
  ])
  if (variables.constant) facts.peer.environPart = part
  return part
}

/** An upper bound of the bytes for what is said of a client's certificate. */
function sslBound(peer: Peer): number {
  const { environPart } = peer
  if (environPart !== null) return (environPart as Uint8Array).length
  const variables = sslVariablesOf(peer)
  return variables.reduce((sum, [name, value]) => sum + 2 * (name.length + value.length) + 10, 0)
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
