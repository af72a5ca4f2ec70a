/**
 * How many streams a client may reset at once, or make the server reset. A browser that leaves a
 * page resets all that it has open: at most `http2_max_concurrent_streams`, 100 by default.
 */
export const RESETS = 200
/** How many of these come back in a second. */
export const RESETS_PER_SECOND = 30
/**
 * Bytes that a client may send at once beside its requests and their bodies: PING, SETTINGS,
 * PRIORITY, WINDOW_UPDATE, empty frames, frames of unknown types, requests that are refused.
 */
export const OVERHEAD = 256 * 1024
/** How many of these come back in a second. */
const OVERHEAD_PER_SECOND = 32 * 1024
/** For each request, and for each piece of a body, this many bytes of frames are no overhead. */
const FRAMING = 512
const PIECE_FRAMING = 64
/** A client that reads opens windows: a sixteenth of what it reads may be for that. */
const READ_SHARE = 16

/** The size of a PING frame in bytes. */
export const PING_SIZE = 17
/** The size of a SETTINGS frame with one setting, in bytes. */
const SETTINGS_SIZE = 15

/** What the watches need of a connection. Bytes are those of frames, without TLS. */
export interface Traffic {
  /** Bytes that have come from the client so far. */
  readonly bytesRead: number
  /** Bytes that have been sent to it so far. */
  readonly bytesWritten: number
}

/**
 * Notices a client that costs more than its requests. It counts what a server of HTTP/2 has to do
 * for nothing; every limit fills up again with time, so that a connection may last.
 *
 * Node.js itself ends sessions with too many CONTINUATION frames, unanswered PING and SETTINGS
 * frames, or invalid frames: see {@link attackIn}.
 */
export class AbuseWatch {
  #resets = RESETS
  #resetsAt: number
  #overhead = OVERHEAD
  #lookedAt: number
  #read = 0
  #written = 0
  /** Bytes of requests, bodies and their framing since the last look. */
  #useful = 0
  #pings = 0
  #settings = 0

  /** @param now milliseconds, as in all methods */
  constructor(now: number) {
    this.#resetsAt = now
    this.#lookedAt = now
  }

  /** A request has come whose head has that many bytes. */
  request(bytes: number): void {
    this.#useful += bytes + FRAMING
  }

  /** A piece of a request's body has come. */
  body(bytes: number): void {
    this.#useful += 2 * bytes + PIECE_FRAMING
  }

  ping(): void {
    this.#pings++
  }

  settings(): void {
    this.#settings++
  }

  /**
   * The client has reset a stream that was not answered, or has broken a rule so that the server
   * had to.
   * @returns what the attack is called, if it is one
   */
  reset(now: number): string | null {
    const back = ((now - this.#resetsAt) * RESETS_PER_SECOND) / 1000
    this.#resets = Math.min(RESETS, this.#resets + back) - 1
    this.#resetsAt = now
    if (this.#resets >= 0) return null
    return (
      `more than ${RESETS} requests were reset before they were answered ` +
      '(rapid reset, CVE-2023-44487, CVE-2025-8671)'
    )
  }

  /**
   * Looks at what has come since the last call.
   * @returns what the attack is called, if it is one
   */
  look(now: number, traffic: Traffic): string | null {
    const { bytesRead } = traffic
    if (bytesRead === this.#read) return null
    const { bytesWritten } = traffic
    const useful = this.#useful + (bytesWritten - this.#written) / READ_SHARE
    const spent = bytesRead - this.#read - useful
    const back = ((now - this.#lookedAt) * OVERHEAD_PER_SECOND) / 1000
    this.#overhead = Math.min(OVERHEAD, this.#overhead + back - spent)
    const attack = this.#overhead >= 0 ? null : this.#flood(spent)
    this.#lookedAt = now
    this.#read = bytesRead
    this.#written = bytesWritten
    this.#useful = 0
    this.#pings = 0
    this.#settings = 0
    return attack
  }

  /** Called by what most of the bytes since the last look were. */
  #flood(bytes: number): string {
    let frames = 'PRIORITY, WINDOW_UPDATE, empty or unknown'
    if (this.#pings * PING_SIZE * 2 > bytes) frames = 'PING'
    else if (this.#settings * SETTINGS_SIZE * 2 > bytes) frames = 'SETTINGS'
    return `a flood of ${frames} frames: more than ${OVERHEAD} bytes beside requests and bodies`
  }
}

/**
 * What the attack is called that made Node.js end a session; null if that was only a mistake.
 *
 * @param error what the session's `error` event has
 */
export function attackIn(error: Error): string | null {
  const { message } = error
  if (/CONTINUATION/.test(message)) return 'a flood of CONTINUATION frames (CVE-2024-27316)'
  if (/Flooding was detected/.test(message))
    return 'a flood of PING or SETTINGS frames that are not taken (CVE-2019-9512, CVE-2019-9515)'
  if ((error as NodeJS.ErrnoException).code === 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES')
    return 'a flood of invalid requests, or of empty DATA frames (CVE-2025-8671, CVE-2019-9518)'
  // Node.js refuses a stream in the callback of its header.
  if (/user callback function failed/.test(message))
    return 'a flood of streams over the limits on their number and memory'
  return null
}
