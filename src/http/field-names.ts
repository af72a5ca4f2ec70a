import { TOKEN_LOWER, UNDERSCORE } from '../semantics/syntax.ts'

/**
 * A field name, the same object for every request that has it (as long as it is cached), so that
 * what is derived from a name is derived once.
 */
export class FieldName {
  /** The position in {@link WELL_KNOWN_NAMES}, or -1 for any other name. */
  readonly id: number
  /** The name in lower case. */
  readonly lower: string
  /** The name in lower case, in ASCII. */
  readonly bytes: Uint8Array
  /** {@link hashName} of the name. */
  readonly hash: number
  readonly hasUnderscore: boolean
  /**
   * For the gateway, which fills it when it first needs it: its own encoded key. Nothing in `http/`
   * reads it.
   */
  environKey: Uint8Array | null
  /** The same, as a string. */
  variable: string | null

  constructor(id: number, bytes: Uint8Array, hash: number) {
    this.id = id
    // The bytes are not spread over arguments: a client chooses how many there are, and the stack
    // holds a limited number.
    this.lower = latin1(bytes)
    this.bytes = bytes
    this.hash = hash
    this.hasUnderscore = bytes.includes(UNDERSCORE)
    this.environKey = null
    this.variable = null
  }

  /** Whether the bytes from `start` on spell this name, in any case. */
  isAt(bytes: Uint8Array, start: number): boolean {
    const name = this.bytes
    for (let i = 0; i < name.length; i++) {
      if (name[i] !== TOKEN_LOWER[bytes[start + i]!]) return false
    }
    return true
  }
}

/**
 * The names that are always there, in the order of their ids. The first ones are those that the
 * request-head parser acts upon: {@link SPECIAL_NAMES} counts them.
 */
export const WELL_KNOWN_NAMES = [
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'connection',
  'expect',
  'upgrade',
  'proxy-connection',
  // CGI maps these to the keys of the names above.
  'content_length',
  'transfer_encoding',
  'content_type',
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'cookie',
  'date',
  'dnt',
  'forwarded',
  'from',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'keep-alive',
  'max-forwards',
  'origin',
  'pragma',
  'priority',
  'proxy',
  'proxy-authorization',
  'range',
  'referer',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'sec-gpc',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'upgrade-insecure-requests',
  'user-agent',
  'via',
  'x-api-key',
  'x-correlation-id',
  'x-csrf-token',
  'x-csrftoken',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-ssl',
  'x-real-ip',
  'x-request-id',
  'x-requested-with',
] as const

/** Ids below this one belong to names that the parser acts upon. */
export const SPECIAL_NAMES = 11

export const HOST = 0
export const CONTENT_LENGTH = 1
export const TRANSFER_ENCODING = 2
export const CONTENT_TYPE = 3
export const CONNECTION = 4
export const EXPECT = 5
export const UPGRADE = 6
export const PROXY_CONNECTION = 7

/** What the hash of every name starts from. */
export const HASH_START = 0x811c9dc5 | 0

/**
 * One step of the hash (FNV-1a) with the next lower-case byte. The parser takes it in the loop that
 * checks the name.
 */
export function hashStep(hash: number, lowerByte: number): number {
  return Math.imul(hash ^ lowerByte, 0x01000193)
}

/** The hash of a name: every byte folded to lower case. */
export function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START
  for (let i = start; i < end; i++) hash = hashStep(hash, TOKEN_LOWER[bytes[i]!]!)
  return hash
}

const KNOWN_SLOTS = 512
const CACHE_SETS = 256
const CACHE_WAYS = 4
/** Longer names are not cached, nor kept by a connection for its next request. */
export const CACHED_NAME_BYTES = 64

/**
 * Finds the {@link FieldName} of a name by its bytes, without making a string.
 *
 * Well-known names are always kept. Others go into a cache of 256 sets of 4. A client that sends
 * new names all the time pushes others out, but neither the memory nor the time of a look-up grows:
 * a set has never more than 4, so names that are made to collide gain nothing. Names over 64 bytes
 * are not cached.
 */
export class FieldNameTable {
  readonly #known: (FieldName | null)[]
  readonly #cache: (FieldName | null)[]
  readonly #nextWay: Uint8Array

  constructor() {
    this.#known = new Array<FieldName | null>(KNOWN_SLOTS).fill(null)
    this.#cache = new Array<FieldName | null>(CACHE_SETS * CACHE_WAYS).fill(null)
    this.#nextWay = new Uint8Array(CACHE_SETS)
    for (const [id, lower] of WELL_KNOWN_NAMES.entries()) {
      const bytes = Uint8Array.from(lower, (character) => character.charCodeAt(0))
      const hash = hashName(bytes, 0, bytes.length)
      let slot = slotOf(hash, KNOWN_SLOTS)
      while (this.#known[slot] !== null) slot = (slot + 1) & (KNOWN_SLOTS - 1)
      this.#known[slot] = new FieldName(id, bytes, hash)
    }
  }

  /**
   * The name in `[start, end)` of `bytes`, in any case; every byte must be a token's.
   * @param hash what {@link hashName} gives for it
   */
  find(bytes: Uint8Array, start: number, end: number, hash: number): FieldName {
    const length = end - start
    for (let slot = slotOf(hash, KNOWN_SLOTS); ; slot = (slot + 1) & (KNOWN_SLOTS - 1)) {
      const entry = this.#known[slot]!
      if (entry === null) break
      if (entry.hash === hash && entry.bytes.length === length && entry.isAt(bytes, start))
        return entry
    }
    const set = slotOf(hash, CACHE_SETS)
    const first = set * CACHE_WAYS
    for (let way = first; way < first + CACHE_WAYS; way++) {
      const entry = this.#cache[way]!
      if (
        entry !== null &&
        entry.hash === hash &&
        entry.bytes.length === length &&
        entry.isAt(bytes, start)
      )
        return entry
    }
    const lower = new Uint8Array(length)
    for (let i = start; i < end; i++) lower[i - start] = TOKEN_LOWER[bytes[i]!]!
    const entry = new FieldName(-1, lower, hash)
    if (lower.length <= CACHED_NAME_BYTES) {
      const way = this.#nextWay[set]!
      this.#cache[first + way] = entry
      this.#nextWay[set] = (way + 1) % CACHE_WAYS
    }
    return entry
  }

  /** How many names that are not well known are held. */
  get cached(): number {
    return this.#cache.filter((entry) => entry !== null).length
  }

  /** The name `name`, a token in any case: for those who have a string (HTTP/2). */
  named(name: string): FieldName {
    const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0))
    return this.find(bytes, 0, bytes.length, hashName(bytes, 0, bytes.length))
  }
}

/** The table that all parsers of this process share. */
export const fieldNames = new FieldNameTable()

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

// The high half folded in: the low bits of FNV alone depend on the low bits of the bytes alone.
function slotOf(hash: number, slots: number): number {
  return (hash ^ (hash >>> 16)) & (slots - 1)
}
