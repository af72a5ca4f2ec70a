import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { waitFor } from './wait-for.ts'

// HTTP/2 by hand (RFC 9113), for what no client library sends.

export const DATA = 0
export const HEADERS = 1
export const PRIORITY = 2
export const RST_STREAM = 3
export const SETTINGS = 4
export const PUSH_PROMISE = 5
export const PING = 6
export const GOAWAY = 7
export const WINDOW_UPDATE = 8
export const CONTINUATION = 9

export const END_STREAM = 0x1
export const END_HEADERS = 0x4

export const NO_ERROR = 0
export const PROTOCOL_ERROR = 1
export const INTERNAL_ERROR = 2
export const STREAM_CLOSED = 5
export const CANCEL = 8
export const COMPRESSION_ERROR = 9

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
const NOTHING: Buffer = Buffer.alloc(0)

/** The bytes of a frame (RFC 9113 §4.1). */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = NOTHING,
): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  payload.copy(bytes, 9)
  return bytes
}

/** A 32-bit number, as in WINDOW_UPDATE and RST_STREAM. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A SETTINGS frame (RFC 9113 §6.5.1). */
export function settings(values: readonly (readonly [id: number, value: number])[] = []): Buffer {
  const payload = Buffer.alloc(6 * values.length)
  values.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  })
  return frame(SETTINGS, 0, 0, payload)
}

/** An integer with a prefix of that many bits (RFC 7541 §5.1). */
function integer(value: number, bits: number, first: number): Buffer {
  const most = 2 ** bits - 1
  if (value < most) return Buffer.of(first | value)
  const bytes = [first | most]
  let rest = value - most
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function text(value: string): Buffer {
  return Buffer.concat([integer(value.length, 7, 0), Buffer.from(value, 'latin1')])
}

/** A field that goes into no table (RFC 7541 §6.2.2), byte for byte. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)])
}

/** A field that goes into the dynamic table (RFC 7541 §6.2.1). */
export function indexed(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0x40), text(name), text(value)])
}

/** That entry of the tables; the newest of the dynamic one is 62 (RFC 7541 §6.1). */
export function reference(index: number): Buffer {
  return integer(index, 7, 0x80)
}

/** A change of the dynamic table's size (RFC 7541 §6.3). */
export function tableSize(size: number): Buffer {
  return integer(size, 5, 0x20)
}

export type Fields = readonly (readonly [name: string, value: string])[]

/** The fields of most requests, in their order. */
export function request(path = '/', more: Fields = [], method = 'GET'): Fields {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'case.example'],
    [':path', path],
    ...more,
  ]
}

/** A block of fields that leaves the tables alone. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)))
}

/** The largest payload of a frame that every peer takes (RFC 9113 §4.2). */
const FRAME_SIZE = 16384

/** A HEADERS frame with all of the fields, and CONTINUATION frames with what it cannot hold. */
export function headers(stream: number, fields: Fields, flags = END_STREAM | END_HEADERS): Buffer {
  const all = block(fields)
  if (all.length <= FRAME_SIZE) return frame(HEADERS, flags, stream, all)
  const frames = [frame(HEADERS, flags & ~END_HEADERS, stream, all.subarray(0, FRAME_SIZE))]
  for (let at = FRAME_SIZE; at < all.length; at += FRAME_SIZE) {
    const last = at + FRAME_SIZE >= all.length ? flags & END_HEADERS : 0
    frames.push(frame(CONTINUATION, last, stream, all.subarray(at, at + FRAME_SIZE)))
  }
  return Buffer.concat(frames)
}

/** A frame that was received. */
export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

/**
 * A connection that sends what it is told to and keeps the frames that come. It acknowledges
 * nothing and opens no window by itself.
 */
export class RawHttp2 {
  readonly socket: Socket
  readonly frames: ReceivedFrame[] = []
  /** `false` stops reading. */
  ended = false
  #rest: Buffer = NOTHING

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setMaxListeners(0) // a flood waits on it many times
    socket.on('error', () => {})
    socket.on('close', () => {
      this.ended = true
    })
    socket.on('data', (bytes) => this.#received(bytes))
  }

  /**
   * Connects, and sends the preface with these settings.
   * @param options.tls over TLS, with `h2` by ALPN, trusting any certificate
   * @param options.silent sends nothing
   */
  static async open(
    { host = '127.0.0.1', port }: { host?: string; port: number },
    options: {
      tls?: boolean
      silent?: boolean
      settings?: readonly (readonly [id: number, value: number])[]
    } = {},
  ): Promise<RawHttp2> {
    const socket = options.tls
      ? connectTls({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false })
      : connect({ host, port })
    await new Promise((resolve, reject) => {
      socket.once(options.tls ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    const connection = new RawHttp2(socket)
    if (!options.silent) connection.send(PREFACE, settings(options.settings))
    return connection
  }

  send(...frames: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  /**
   * Sends that again and again, as fast as the server reads, until the connection has ended or
   * `times` is reached.
   * @returns how often it was sent
   */
  async flood(make: (turn: number) => Buffer, times: number): Promise<number> {
    let turn = 0
    while (turn < times && !this.ended) {
      const bytes = make(turn)
      turn++
      if (this.socket.destroyed || !this.socket.writable) break
      if (!this.socket.write(bytes)) {
        await Promise.race([
          new Promise((resolve) => this.socket.once('drain', resolve)),
          new Promise((resolve) => this.socket.once('close', resolve)),
        ])
      }
    }
    return turn
  }

  /** The first frame of that kind, now or later. */
  async frame(type: number, stream?: number): Promise<ReceivedFrame> {
    const find = () =>
      this.frames.find(
        (each) => each.type === type && (stream === undefined || each.stream === stream),
      )
    await waitFor(`a frame of type ${type}`, () => find() !== undefined || this.ended)
    const found = find()
    if (found === undefined) throw new Error(`the connection ended without a frame of type ${type}`)
    return found
  }

  /** Waits for the end, and says which error the GOAWAY had; null if there was none. */
  async end(): Promise<number | null> {
    await waitFor('the end of the connection', () => this.ended)
    return this.goaway
  }

  /** The error of the last GOAWAY; null if there is none. */
  get goaway(): number | null {
    return (
      this.frames
        .filter(({ type }) => type === GOAWAY)
        .at(-1)
        ?.payload.readUInt32BE(4) ?? null
    )
  }

  /** The error with which a stream was reset; null if it was not. */
  resetOf(stream: number): number | null {
    const reset = this.frames.find((each) => each.type === RST_STREAM && each.stream === stream)
    return reset?.payload.readUInt32BE(0) ?? null
  }

  /** The status of the response on a stream, if it is the first response of the connection. */
  statusOf(stream: number): number | null {
    const head = this.frames.find((each) => each.type === HEADERS && each.stream === stream)
    return head === undefined ? null : firstStatus(head.payload)
  }

  /** The body of a response so far. */
  body(stream: number): Buffer {
    return Buffer.concat(
      this.frames
        .filter((each) => each.type === DATA && each.stream === stream)
        .map(({ payload }) => payload),
    )
  }

  close(): void {
    this.socket.destroy()
  }

  #received(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      this.frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5) & 0x7fffffff,
        payload: Buffer.from(this.#rest.subarray(9, 9 + length)),
      })
      this.#rest = this.#rest.subarray(9 + length)
    }
  }
}

const STATIC_STATUS = [200, 204, 206, 304, 400, 404, 500]
const DIGITS = ['00000', '00001', '00010', '011001', '011010', '011011', '011100', '011101']

/** The `:status` that begins the first block of fields that an encoder writes. */
function firstStatus(bytes: Buffer): number {
  if (bytes[0]! >= 0x88) return STATIC_STATUS[bytes[0]! - 0x88]!
  const length = bytes[1]! & 0x7f
  if ((bytes[1]! & 0x80) === 0) return Number(bytes.toString('latin1', 2, 2 + length))
  // Huffman codes of digits (RFC 7541, Appendix B).
  const codes = [...DIGITS, '011110', '011111']
  let bits = [...bytes.subarray(2, 2 + length)]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
  let text = ''
  for (let i = 0; i < 3; i++) {
    const digit = codes.findIndex((code) => bits.startsWith(code))
    text += digit
    bits = bits.slice(codes[digit]?.length ?? 0)
  }
  return Number(text)
}
