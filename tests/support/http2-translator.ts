import { once } from 'node:events'
import { STATUS_CODES } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'

// Lets the clients of the tests, which write HTTP/1.1 by hand, put a server of HTTP/2 to the same
// cases. Each connection to the translator has one to the server. What is not HTTP/1.1 as it should
// be breaks the connection: these are cases of HTTP/1.1 only.

/** About the connection in HTTP/1.1; HTTP/2 has none of them (RFC 9113 §8.2.2). */
const CONNECTION_FIELDS = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** Accepts HTTP/1.1 and sends it on as HTTP/2. */
export interface Translator {
  readonly host: string
  readonly port: number
  close(): void
}

/**
 * @param target the server, which speaks HTTP/2 by prior knowledge, or over TLS
 */
export async function startTranslator(
  target: { port: number; host?: string },
  options: { tls?: boolean } = {},
): Promise<Translator> {
  const sockets = new Set<Socket>()
  const origin = `${options.tls ? 'https' : 'http'}://${target.host ?? '127.0.0.1'}:${target.port}`
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    void new Translation(socket, origin).run()
  })
  // The same port at another address: a server says which port it has.
  server.listen(target.port, '127.0.0.2')
  await once(server, 'listening')
  return {
    host: '127.0.0.2',
    port: (server.address() as AddressInfo).port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** One connection. */
class Translation {
  readonly #socket: Socket
  readonly #session: ClientHttp2Session
  #buffer = Buffer.alloc(0)
  #wake: (() => void) | null = null
  #ended = false

  constructor(socket: Socket, origin: string) {
    this.#socket = socket
    this.#session = connectHttp2(origin, { rejectUnauthorized: false })
    this.#session.on('error', () => {})
    this.#session.on('close', () => this.#ends())
    socket.on('error', () => {})
    socket.on('readable', () => this.#wake?.())
    socket.on('end', () => {
      this.#ended = true
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
      this.#session.destroy()
    })
  }

  async run(): Promise<void> {
    try {
      while (await this.#exchange()) {
        // The next request.
      }
      this.#session.close()
    } catch {
      this.#socket.destroy()
    }
  }

  /** The session is over: so is the connection, after what is being written. */
  #ends(): void {
    if (!this.#socket.writableEnded) this.#socket.end()
  }

  /** @returns whether there was a request */
  async #exchange(): Promise<boolean> {
    const head = await this.#until('\r\n\r\n')
    if (head === null) return false
    const [line = '', ...lines] = head.split('\r\n')
    const [method = '', target = ''] = line.split(' ')
    const headers: OutgoingHttpHeaders = { ':method': method, ':path': target }
    let length = 0
    let chunked = false
    for (const each of lines) {
      const colon = each.indexOf(':')
      const name = each.slice(0, colon).toLowerCase()
      const value = each.slice(colon + 1).trim()
      if (name === 'host') headers[':authority'] = value
      if (name === 'content-length') length = Number(value)
      if (name === 'transfer-encoding') chunked = true
      if (CONNECTION_FIELDS.has(name)) continue
      const known = headers[name]
      if (known === undefined) headers[name] = value
      else headers[name] = [...(Array.isArray(known) ? known : [String(known)]), value]
    }
    const stream = this.#session.request(headers, { endStream: !chunked && length === 0 })
    const answered = this.#answer(stream, method === 'HEAD')
    const sent = chunked ? this.#sendChunks(stream) : this.#sendLength(stream, length)
    sent.catch(() => stream.close(constants.NGHTTP2_CANCEL))
    await answered
    await sent.catch(() => {})
    return !this.#session.closed && !this.#session.destroyed
  }

  async #sendLength(stream: ClientHttp2Stream, length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const bytes = await this.#some(left)
      left -= bytes.length
      await write(stream, bytes)
    }
    stream.end()
  }

  async #sendChunks(stream: ClientHttp2Stream): Promise<void> {
    for (;;) {
      const size = await this.#until('\r\n')
      if (size === null) throw new Error('the client ended within its body')
      let left = Number.parseInt(size, 16)
      if (left === 0) break
      for (; left > 0; ) {
        const bytes = await this.#some(left)
        left -= bytes.length
        await write(stream, bytes)
      }
      await this.#until('\r\n')
    }
    // The trailers, which are dropped.
    let line: string | null = 'more'
    while (line !== null && line !== '') line = await this.#until('\r\n')
    stream.end()
  }

  /** Writes the responses. Resolves when the last one is complete. */
  #answer(stream: ClientHttp2Stream, toHead: boolean): Promise<void> {
    const socket = this.#socket
    let chunked = false
    let begun = false
    let complete = false
    const writeHead = (raw: readonly string[], interim: boolean) => {
      const fields = raw.slice()
      let text = ''
      let status = 0
      let framed = interim
      for (let i = 0; i < fields.length; i += 2) {
        const name = fields[i]!
        if (name === ':status') {
          status = Number(fields[i + 1])
          continue
        }
        if (name === 'content-length') framed = true
        text += `${name}: ${fields[i + 1]}\r\n`
      }
      if (toHead || status === 204 || status === 304) framed = true
      chunked = !framed
      if (chunked) text += 'transfer-encoding: chunked\r\n'
      socket.write(
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${text}\r\n`,
        'latin1',
      )
    }
    type Listener = (headers: unknown, flags: number, raw: readonly string[]) => void
    const events = stream as unknown as { on(event: string, listener: Listener): void }
    events.on('headers', (_headers, _flags, raw) => writeHead(raw, true))
    events.on('response', (_headers, _flags, raw) => {
      begun = true
      writeHead(raw, false)
    })
    stream.on('data', (bytes: Buffer) => {
      if (bytes.length === 0) return
      let flows = true
      if (chunked) {
        socket.write(`${bytes.length.toString(16)}\r\n`)
        socket.write(bytes)
        flows = socket.write('\r\n')
      } else flows = socket.write(bytes)
      if (flows) return
      stream.pause()
      socket.once('drain', () => stream.resume())
    })
    stream.on('end', () => {
      // An 'end' comes with a reset too.
      complete = stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted
    })
    stream.on('error', () => {})
    return new Promise((resolve, reject) => {
      stream.on('close', () => {
        if (!begun || !complete) {
          reject(new Error('the stream was reset'))
          return
        }
        if (chunked) socket.write('0\r\n\r\n')
        resolve()
      })
    })
  }

  /** The text before that mark; null at the end of the connection. */
  async #until(mark: string): Promise<string | null> {
    for (;;) {
      const at = this.#buffer.indexOf(mark, 0, 'latin1')
      if (at !== -1) {
        const text = this.#buffer.toString('latin1', 0, at)
        this.#buffer = this.#buffer.subarray(at + mark.length)
        return text
      }
      if (!(await this.#more())) return null
    }
  }

  async #some(limit: number): Promise<Buffer> {
    while (this.#buffer.length === 0) {
      if (!(await this.#more())) throw new Error('the client ended within its body')
    }
    const bytes = this.#buffer.subarray(0, limit)
    this.#buffer = this.#buffer.subarray(bytes.length)
    return bytes
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const bytes = this.#socket.read() as Buffer | null
      if (bytes !== null) {
        this.#buffer = Buffer.concat([this.#buffer, bytes])
        return true
      }
      if (this.#ended) return false
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

async function write(stream: ClientHttp2Stream, bytes: Buffer): Promise<void> {
  // The server may have answered without it: then nobody wants the rest.
  if (stream.destroyed || stream.closed || stream.write(bytes)) return
  const settled = new AbortController()
  const { signal } = settled
  const waits = [once(stream, 'drain', { signal }), once(stream, 'close', { signal })]
  await Promise.race(waits).catch(() => {})
  settled.abort()
  await Promise.allSettled(waits)
}
