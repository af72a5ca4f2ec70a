import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { onTestFinished } from 'vitest'
import { within } from './wait-for.ts'

/** Where to connect to. A RunningServer fits. */
export type Target =
  | { port: number; host?: string; secure?: boolean }
  | { socketPath: string | undefined; port: number; host: string; secure?: boolean }

/** One response, as it stood on the wire. */
export interface RawResponse {
  version: '1.0' | '1.1'
  status: number
  reason: string
  /** In order, names as sent. */
  headers: [name: string, value: string][]
  /**
   * The value of a header (any case), undefined when it is not there; several are an error here,
   * see `all`.
   */
  header(name: string): string | undefined
  all(name: string): string[]
  /** How the end of the body was found. */
  framing: 'none' | 'length' | 'chunked' | 'close'
  body: Buffer
  /** The body as UTF-8. */
  text: string
  /** The chunks of a chunked body, as sent. */
  chunks: Buffer[]
  /** False when the connection closed before the framing said so. */
  complete: boolean
}

/** How a connection ended: by a FIN, by a reset. */
export type Ending = 'closed' | 'reset'

const defaultTimeout = 15_000

/**
 * A client that sends exactly the bytes it is told to and reads responses strictly: what is not
 * well-formed HTTP/1.1 is an error, not a guess. It reads from the socket only when somebody waits
 * for a response, so not reading is being a slow reader.
 */
export class RawConnection {
  readonly socket: Socket
  /** The socket below TLS, or the same. */
  readonly #below: Socket
  /** Milliseconds that one response may take. */
  timeout = defaultTimeout
  #buffer: Buffer = Buffer.alloc(0)
  #ending: Ending | undefined
  #wake: (() => void) | undefined

  private constructor(socket: Socket, below: Socket) {
    this.socket = socket
    this.#below = below
    socket.on('readable', () => this.#wake?.())
    socket.on('end', () => this.#end('closed'))
    socket.on('error', () => this.#end('reset'))
    socket.on('close', () => this.#end('closed'))
  }

  /** Connects, and closes the connection at the end of the test at the latest. */
  static async open(target: Target): Promise<RawConnection> {
    const socket =
      'socketPath' in target && target.socketPath
        ? connect({ path: target.socketPath, allowHalfOpen: true })
        : connect({ port: target.port, host: target.host ?? '127.0.0.1', allowHalfOpen: true })
    socket.setNoDelay(true)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const secure = target.secure ? await handshake(socket) : socket
    const connection = new RawConnection(secure, socket)
    try {
      onTestFinished(() => connection.close())
    } catch {
      // Outside of a test: the caller closes it.
    }
    return connection
  }

  /** Sends the bytes (a string is latin-1) and resolves when they are handed to the system. */
  async send(data: Buffer | string): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    await new Promise<void>((resolve) => {
      // An error here is the peer's closing, which the reading side reports.
      this.socket.write(bytes, () => resolve())
    })
  }

  /**
   * Sends the bytes in pieces cut at the given offsets, so that each arrives by itself.
   *
   * @param delay Milliseconds between two pieces.
   */
  async sendSplit(data: Buffer | string, offsets: number[], delay = 5): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    const cuts = [0, ...offsets, bytes.length]
    for (let i = 1; i < cuts.length; i++) {
      if (i > 1) await sleep(delay)
      await this.send(bytes.subarray(cuts[i - 1], cuts[i]))
    }
  }

  /**
   * Sends the bytes `size` at a time, `interval` milliseconds apart, until all are sent or the
   * connection ends.
   */
  async drip(data: Buffer | string, interval: number, size = 1): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    for (let at = 0; at < bytes.length && !this.#ending && !this.socket.destroyed; at += size) {
      if (at > 0) await sleep(interval)
      await this.send(bytes.subarray(at, at + size))
    }
  }

  /** Sends FIN: no more bytes from this side. */
  halfClose(): void {
    this.socket.end()
  }

  /** Sends RST. */
  reset(): void {
    this.#below.resetAndDestroy()
  }

  /** Closes without waiting for anything. */
  close(): void {
    this.socket.destroy()
  }

  /**
   * Reads the next response; 1xx responses are responses of their own.
   *
   * @param method The request's method: a response to HEAD has no body, whatever its headers say.
   * @param options.bodyless Return after the head, leaving the body for `readBytes`.
   */
  readResponse(method = 'GET', options: { bodyless?: boolean } = {}): Promise<RawResponse> {
    return within(
      'a response',
      this.timeout,
      this.#response(method, options.bodyless ?? false),
    ).catch((error: Error) => {
      error.message +=
        '; received and not understood: ' +
        `${JSON.stringify(this.#buffer.toString('latin1').slice(0, 500))}`
      throw error
    })
  }

  /** Sends the request and reads its response. */
  async request(data: Buffer | string, method = 'GET'): Promise<RawResponse> {
    await this.send(data)
    return this.readResponse(method)
  }

  /**
   * Waits until at least one byte is there (or the end) and takes what there is, at most `limit`
   * bytes.
   */
  async readSome(limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
    if (this.#buffer.length === 0) await within('bytes', this.timeout, this.#more())
    return this.#take(Math.min(limit, this.#buffer.length))
  }

  /** Reads to the end of the connection and returns what was still there. */
  async readToEnd(): Promise<{ rest: Buffer; ending: Ending }> {
    await within('the connection to end', this.timeout, this.#untilEnd())
    return { rest: this.#take(this.#buffer.length), ending: this.#ending ?? 'closed' }
  }

  /** Resolves with how the connection ended; fails when anything but the end comes. */
  async expectEnd(): Promise<Ending> {
    const { rest, ending } = await this.readToEnd()
    if (rest.length > 0) {
      throw new Error(
        `expected the end of the connection, got ${JSON.stringify(rest.toString('latin1'))}`,
      )
    }
    return ending
  }

  /** Reads all there is to come; joined once, for it may be much. */
  async #untilEnd(): Promise<void> {
    const parts = [this.#take(this.#buffer.length)]
    while (await this.#more()) parts.push(this.#take(this.#buffer.length))
    this.#buffer = Buffer.concat(parts)
  }

  #end(ending: Ending): void {
    this.#ending ??= ending
    this.#wake?.()
  }

  /** Adds what the socket has to the buffer, waiting for it; false at the end. */
  async #more(): Promise<boolean> {
    for (;;) {
      const data: Buffer | null = this.socket.read()
      if (data) {
        this.#buffer = this.#buffer.length > 0 ? Buffer.concat([this.#buffer, data]) : data
        return true
      }
      if (this.#ending) return false
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length)
    this.#buffer = this.#buffer.subarray(length)
    return taken
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n', 0, 'latin1')
      if (end >= 0) {
        const line = this.#take(end + 2).toString('latin1', 0, end)
        if (/[\r\n\0]/.test(line))
          throw new Error(`a bare CR, LF or NUL in ${JSON.stringify(line)}`)
        return line
      }
      if (!(await this.#more())) {
        throw new Error(
          `the connection ended (${this.#ending}) where a line of a response was expected`,
        )
      }
    }
  }

  async #fields(): Promise<[string, string][]> {
    const fields: [string, string][] = []
    for (let line = await this.#line(); line !== ''; line = await this.#line()) {
      const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(
        line,
      )
      if (!match) throw new Error(`not a header field: ${JSON.stringify(line)}`)
      fields.push([match[1] ?? '', match[2] ?? ''])
    }
    return fields
  }

  async #response(method: string, bodyless: boolean): Promise<RawResponse> {
    const statusLine = await this.#line()
    const match = /^HTTP\/(1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/.exec(statusLine)
    if (!match) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`)
    const headers = await this.#fields()
    const response: RawResponse = {
      version: match[1] as '1.0' | '1.1',
      status: Number(match[2]),
      reason: match[3] ?? '',
      headers,
      all: (name) =>
        headers
          .filter(([field]) => field.toLowerCase() === name.toLowerCase())
          .map(([, value]) => value),
      header: (name) => {
        const values = response.all(name)
        if (values.length > 1) throw new Error(`${values.length} ${name} headers`)
        return values[0]
      },
      framing: 'none',
      body: Buffer.alloc(0),
      get text() {
        return this.body.toString('utf8')
      },
      chunks: [],
      complete: true,
    }
    const length = response.header('Content-Length')
    const coding = response.header('Transfer-Encoding')
    if (length !== undefined && !/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`)
    if (length !== undefined && coding !== undefined) {
      throw new Error('both Content-Length and Transfer-Encoding in a response')
    }
    const { status } = response
    if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return response
    if (coding !== undefined) {
      if (coding !== 'chunked') throw new Error(`Transfer-Encoding: ${coding}`)
      response.framing = 'chunked'
      if (!bodyless) await this.#chunkedBody(response)
    } else if (length !== undefined) {
      response.framing = 'length'
      if (!bodyless) await this.#sizedBody(response, Number(length))
    } else {
      response.framing = 'close'
      if (bodyless) return response
      await this.#untilEnd()
      response.body = this.#take(this.#buffer.length)
      response.complete = this.#ending === 'closed'
    }
    return response
  }

  async #sizedBody(response: RawResponse, length: number): Promise<void> {
    const parts: Buffer[] = []
    let missing = length
    while (missing > 0) {
      if (this.#buffer.length === 0 && !(await this.#more())) {
        response.complete = false
        break
      }
      const part = this.#take(Math.min(missing, this.#buffer.length))
      parts.push(part)
      missing -= part.length
    }
    response.body = Buffer.concat(parts)
  }

  async #chunkedBody(response: RawResponse): Promise<void> {
    try {
      for (;;) {
        const line = await this.#line()
        if (!/^[0-9A-Fa-f]+$/.test(line))
          throw new SyntaxError(`not a chunk size: ${JSON.stringify(line)}`)
        const size = Number.parseInt(line, 16)
        if (size === 0) break
        while (this.#buffer.length < size + 2) {
          if (!(await this.#more())) throw new Error('ended in a chunk')
        }
        response.chunks.push(this.#take(size))
        if (this.#take(2).toString('latin1') !== '\r\n')
          throw new SyntaxError('no CRLF after a chunk')
      }
      const trailers = await this.#fields()
      if (trailers.length > 0) throw new SyntaxError('unexpected trailers')
    } catch (error) {
      if (error instanceof SyntaxError || !this.#ending) throw error
      response.complete = false
    }
    response.body = Buffer.concat(response.chunks)
  }
}

/** The client's side of TLS; any certificate will do. */
async function handshake(socket: Socket): Promise<Socket> {
  const secure = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
  await new Promise<void>((resolve, reject) => {
    secure.once('secureConnect', resolve)
    secure.once('error', reject)
  })
  return secure
}

/** One request on a connection of its own: sends the bytes, reads one response, closes. */
export async function exchangeOnce(
  target: Target,
  data: Buffer | string,
  method = 'GET',
): Promise<RawResponse & { closed: () => Promise<Ending> }> {
  const connection = await RawConnection.open(target)
  const response = await connection.request(data, method)
  return Object.assign(response, { closed: () => connection.expectEnd() })
}
