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
  SMALL_TUPLE,
  writeBytes,
  writeEncoded,
  writeNone,
} from './marshal.ts'
import { sslVariablesOf } from './ssl-variables.ts'

const HTTP_HOST = encodeString('HTTP_HOST')
const REQUEST_METHOD = encodeString('REQUEST_METHOD')
const CONTENT_LENGTH_KEY = encodeString('CONTENT_LENGTH')
const NOTHING = Buffer.alloc(0)
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

/** The first byte of an environ in two parts; see docs/reference/frames.md. */
const SHARED = 0x53 // 'S'
/** Fields whose values many requests of a client have, and many clients. */
const SHARED_NAMES: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'dnt',
  'origin',
  'pragma',
  'priority',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-gpc',
  'te',
  'upgrade-insecure-requests',
  'user-agent',
  'via',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-requested-with',
])
/** The same, by {@link FieldName.id}. */
const IS_SHARED = Uint8Array.from(WELL_KNOWN_NAMES, (name) => (SHARED_NAMES.has(name) ? 1 : 0))
/** Longer values are not shared, nor is anything after so many bytes. */
const SHARED_VALUE = 255
const SHARED_BYTES = 1024

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
  /** The number of the last environ with a well-known name, by {@link FieldName.id} … */
  readonly #seen = new Uint32Array(WELL_KNOWN_NAMES.length)
  /** … of the last one that had it more than once … */
  readonly #repeated = new Uint32Array(WELL_KNOWN_NAMES.length)
  /** … and of the last one in which such a name has been come to. */
  readonly #joined = new Uint32Array(WELL_KNOWN_NAMES.length)
  #number = 0
  /** The places of fields that are not shared, and how many there are. */
  #others: number[] = []
  #otherCount = 0
  #places: Map<string, number[]> | null = null

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
   * Writes the environ of a request, without what is as in {@link usualEnviron}, in two parts: what
   * many requests share, which a worker reads once, and the rest.
   *
   * @returns where it ends
   */
  write(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head, peer } = facts
    const source = this.#source
    const part = (peer.environPart as PeerPart | null) ?? encodePeer(facts)
    out[start] = SHARED
    let at = beginDict(out, start + 3)
    const method = head.method === 'GET' ? undefined : METHODS.get(head.method)
    if (method !== undefined) at = writeEncoded(out, at, method)
    if (head.protocol !== USUAL_PROTOCOL) at = writeEncoded(out, at, encodeProtocol(head.protocol))
    if (head.secure) at = writeEncoded(out, at, SCHEME_HTTPS)
    at = writeEncoded(out, at, part.shared)
    at = this.#writeShared(facts, out, at, start + 3 + SHARED_BYTES)
    at = endDict(out, at)
    out[start + 1] = (at - start - 3) & 0xff
    out[start + 2] = (at - start - 3) >>> 8

    const { bytes } = head
    out[at] = SMALL_TUPLE
    out[at + 1] = 5
    const target = at + 2
    at = writeBytes(out, target, source.set(bytes, head.targetStart, head.targetEnd))
    at = writeEncoded(out, at, part.port)
    const path = this.#pathInfo.of(head)
    at = isTarget(head, path) ? writeNone(out, at) : writeBytes(out, at, path)
    if (head.queryStart === head.queryEnd) at = writeNone(out, at)
    else at = writeBytes(out, at, source.set(bytes, head.queryStart, head.queryEnd))
    const others = at
    at = beginDict(out, others)
    if (head.method !== 'GET' && method === undefined)
      at = writeEncoded(out, writeEncoded(out, at, REQUEST_METHOD), encodeString(head.method))
    if (head.scriptName !== null)
      at = writeEncoded(out, at, encodePair('SCRIPT_NAME', head.scriptName))
    at = writeEncoded(out, at, part.rest)
    at = this.#writeOthers(facts, out, at)
    source.clear()
    return at === others + 1 ? writeNone(out, others) : endDict(out, at)
  }

  /** Writes fields that requests share, up to `limit`, and notes the others. */
  #writeShared(facts: EnvironFacts, out: Buffer, start: number, limit: number): number {
    const { head } = facts
    const { fields, names, fieldCount } = head
    if (++this.#number > 0xffffffff) {
      // After half a day at full speed: an old number must not pass for this one.
      this.#seen.fill(0)
      this.#repeated.fill(0)
      this.#joined.fill(0)
      this.#number = 1
    }
    const number = this.#number
    this.#findRepeated(head)
    const places = fieldCount > MANY_FIELDS ? placesByName(head) : null
    this.#places = places
    let others = 0
    let at = start
    for (let i = 0; i < fieldCount; i++) {
      const name = names[i]
      const id = name.id
      let shared = false
      if (id >= 0) {
        if (this.#repeated[id] === number) {
          if (this.#joined[id] === number) continue // joined with the first of its name
          this.#joined[id] = number
        }
        if (id === TRANSFER_ENCODING && facts.readLength >= 0) continue
        if (isHidden(name, head)) continue
        shared = IS_SHARED[id] === 1 && at < limit
      } else if ((places === null ? indexOfName(names, name, 0) : places.get(name.lower)![0]) < i) {
        continue
      }
      if (
        shared &&
        fields[i * 4 + 3] - fields[i * 4 + 2] <= SHARED_VALUE &&
        places === null &&
        this.#repeated[id] !== number
      )
        at = this.#writeField(head, i, out, at)
      else this.#others[others++] = i
    }
    this.#otherCount = others
    return at
  }

  /** Notes which well-known names come more than once: comparing each with all others is slower. */
  #findRepeated({ names, fieldCount }: RequestHead): void {
    const number = this.#number
    for (let i = 0; i < fieldCount; i++) {
      const { id } = names[i]
      if (id < 0) continue
      if (this.#seen[id] === number) this.#repeated[id] = number
      else this.#seen[id] = number
    }
  }

  #writeOthers(facts: EnvironFacts, out: Buffer, start: number): number {
    const { head } = facts
    let at = start
    for (let k = 0; k < this.#otherCount; k++) at = this.#writeField(head, this.#others[k], out, at)
    if (this.#otherCount > MANY_FIELDS) this.#others = []
    this.#places = null
    if (facts.readLength >= 0) {
      at = writeEncoded(out, at, CONTENT_LENGTH_KEY)
      at = writeEncoded(out, at, encodeString(String(facts.readLength)))
    }
    if (head.hasAuthority) {
      at = writeEncoded(out, at, HTTP_HOST)
      at = writeBytes(out, at, this.#source.set(head.bytes, head.authorityStart, head.authorityEnd))
    }
    return at
  }

  /** Writes the field at `i`, joined with those of the same name that follow. */
  #writeField(head: RequestHead, i: number, out: Buffer, start: number): number {
    const { bytes, fields, names } = head
    const source = this.#source
    const name = names[i]
    name.environKey ??= encodeString(environKey(name.lower))
    const at = writeEncoded(out, start, name.environKey)
    const places = this.#places
    const once = name.id >= 0 && this.#repeated[name.id] !== this.#number
    const all = once ? null : places === null ? placesOf(names, name, i) : places.get(name.lower)!
    if (all === null || all.length === 1) source.set(bytes, fields[i * 4 + 2], fields[i * 4 + 3])
    else joinValues(head, all, source)
    return writeBytes(out, at, source)
  }
}

/** Whether these bytes of a path are the whole target, too. */
function isTarget({ bytes, targetStart, targetEnd }: RequestHead, path: Span): boolean {
  const length = targetEnd - targetStart
  if (path.length !== length) return false
  if (path.bytes === bytes && path.start === targetStart) return true
  return bytes.compare(path.bytes, path.start, path.end, targetStart, targetEnd) === 0
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

/** What describes the connection. */
interface PeerPart {
  /** Pairs that other connections of the client have as well. */
  readonly shared: Buffer
  /** The value of `REMOTE_PORT`. */
  readonly port: Buffer
  /** The other pairs. */
  readonly rest: Buffer
}

function encodePeer(facts: EnvironFacts): PeerPart {
  const variables = peerVariables(facts)
  const pairs: readonly (readonly [string, string])[] = [
    ...Object.entries(variables.proxied),
    ...variables.ssl,
  ]
  const place = Buffer.concat([
    encodePair('SERVER_NAME', variables.serverName),
    encodePair('SERVER_PORT', variables.serverPort),
    encodePair('REMOTE_ADDR', variables.remoteAddress),
  ])
  const rest = Buffer.concat(pairs.map(([name, value]) => encodePair(name, value)))
  // On a unix socket the name is what the client says.
  const short = place.length <= SHARED_BYTES
  const part = {
    shared: short ? place : NOTHING,
    port: encodeString(variables.remotePort),
    rest: short ? rest : Buffer.concat([place, rest]),
  }
  if (variables.constant) facts.peer.environPart = part
  return part
}

/** An upper bound of the bytes for what is said of a client's certificate. */
function sslBound(peer: Peer): number {
  const { environPart } = peer
  if (environPart !== null) return (environPart as PeerPart).rest.length
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
