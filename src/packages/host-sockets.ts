import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as connectTLS } from 'node:tls'
import { authoritiesIn, systemAuthorities } from './certificate-authorities.ts'

/** How many bytes are kept before reading from a server pauses. */
const HIGH_WATER_MARK = 1024 * 1024

interface SocketFailure {
  readonly kind: 'name' | 'timeout' | 'refused' | 'reset' | 'certificate' | 'tls' | 'other'
  readonly message: string
}

/** An answer to the interpreter: `error`, or the result of the call. */
export interface HostAnswer {
  readonly json: Readonly<Record<string, unknown>>
  readonly data: Uint8Array | null
}

interface ConnectArguments {
  readonly host: string
  readonly port: number
  readonly timeout: number | null
}

interface TLSArguments {
  readonly id: number
  readonly servername: string | null
  readonly verify: boolean
  readonly authorities: string | null
  readonly certificate: string | null
  readonly key: string | null
  readonly password: string | null
  readonly timeout: number | null
}

interface TransferArguments {
  readonly id: number
  readonly size: number
  readonly timeout: number | null
}

/**
 * Connections for an interpreter that has no sockets (python/monoceros_pyodide/install_sockets.py).
 * It makes one call at a time and waits for the answer. Times are in seconds, as in Python.
 */
export class HostSockets {
  readonly #connections = new Map<number, HostConnection>()
  readonly #environment: Readonly<Record<string, string | undefined>>
  #last = 0

  /** @param environment may name certificate authorities: SSL_CERT_FILE, NODE_EXTRA_CA_CERTS */
  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.#environment = environment
  }

  /** Makes a call. It never throws; an error is in the answer. */
  async call(name: string, args: string, data: Uint8Array | null): Promise<HostAnswer> {
    try {
      return await this.#obey(name, JSON.parse(args), data)
    } catch (error) {
      return { json: { error: failureOf(error) }, data: null }
    }
  }

  /** Ends all connections. */
  close(): void {
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  async #obey(name: string, args: unknown, data: Uint8Array | null): Promise<HostAnswer> {
    if (name === 'connect') {
      const connection = await HostConnection.open(args as ConnectArguments)
      const id = ++this.#last
      this.#connections.set(id, connection)
      return { json: { id }, data: null }
    }
    const { id } = args as { readonly id: number }
    const connection = this.#connections.get(id)
    if (connection === undefined) throw new HostSocketError('other', 'the connection is closed')
    switch (name) {
      case 'tls':
        await connection.encrypt(args as TLSArguments, this.#environment)
        return { json: {}, data: null }
      case 'send':
        await connection.send(data ?? new Uint8Array(0), (args as TransferArguments).timeout)
        return { json: {}, data: null }
      case 'receive': {
        const { size, timeout } = args as TransferArguments
        const received = await connection.receive(size, timeout)
        return { json: { count: received.length }, data: received.length === 0 ? null : received }
      }
      case 'readable':
        return { json: { readable: connection.readable }, data: null }
      case 'close':
        connection.close()
        this.#connections.delete(id)
        return { json: {}, data: null }
      default:
        throw new HostSocketError('other', `unknown call: ${name}`)
    }
  }
}

class HostSocketError extends Error {
  readonly kind: SocketFailure['kind']

  constructor(kind: SocketFailure['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

class HostConnection {
  #socket: Socket
  #chunks: Buffer[] = []
  #size = 0
  #ended = false
  #error: Error | null = null
  #wake: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  static async open({ host, port, timeout }: ConnectArguments): Promise<HostConnection> {
    const socket = connect({ host, port, noDelay: true })
    try {
      await happens(socket, 'connect', timeout)
    } catch (error) {
      discard(socket)
      throw error
    }
    return new HostConnection(socket)
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#size += chunk.length
      if (this.#size >= HIGH_WATER_MARK) socket.pause()
      this.#wake?.()
    })
    socket.on('end', () => this.#end(null))
    socket.on('close', () => this.#end(null))
    socket.on('error', (error) => this.#end(error))
  }

  #end(error: Error | null): void {
    this.#error ??= error
    this.#ended = true
    this.#wake?.()
  }

  async encrypt(
    args: TLSArguments,
    environment: Readonly<Record<string, string | undefined>>,
  ): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners()
    const key = args.key === null ? undefined : readFileSync(args.key)
    const socket = connectTLS({
      socket: plain,
      rejectUnauthorized: args.verify,
      ca:
        args.authorities === null
          ? systemAuthorities(environment)
          : readAuthorities(args.authorities),
      ...(args.servername === null ? {} : { host: args.servername }),
      // An address is not a server name (RFC 6066 §3).
      ...(args.servername === null || /^[\d.]+$|:/.test(args.servername)
        ? {}
        : { servername: args.servername }),
      ...(args.certificate === null ? {} : { cert: readFileSync(args.certificate) }),
      ...(key === undefined ? {} : { key }),
      ...(args.password === null ? {} : { passphrase: args.password }),
    })
    try {
      await happens(socket, 'secureConnect', args.timeout)
    } catch (error) {
      discard(socket)
      discard(plain)
      throw error
    }
    this.#socket = socket
    this.#listen()
  }

  async send(data: Uint8Array, timeout: number | null): Promise<void> {
    if (this.#error !== null) throw this.#error
    await within(
      timeout,
      new Promise<void>((resolve, reject) => {
        this.#socket.write(data, (error) => (error ? reject(error) : resolve()))
      }),
    )
  }

  /** Up to `size` bytes; none at the end of the stream. */
  async receive(size: number, timeout: number | null): Promise<Uint8Array> {
    if (this.#size === 0 && !this.#ended) {
      const arrival = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      try {
        await within(timeout, arrival)
      } finally {
        this.#wake = null
      }
    }
    if (this.#size === 0) {
      if (this.#error !== null) throw this.#error
      return new Uint8Array(0)
    }
    const all =
      this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
    const rest = all.subarray(size)
    this.#chunks = rest.length === 0 ? [] : [rest]
    this.#size = rest.length
    if (this.#size < HIGH_WATER_MARK) this.#socket.resume()
    return new Uint8Array(all.subarray(0, size))
  }

  get readable(): boolean {
    return this.#size > 0 || this.#ended
  }

  close(): void {
    discard(this.#socket)
  }
}

/** Ends a connection and ignores its later errors. */
function discard(socket: Socket): void {
  socket.removeAllListeners()
  socket.on('error', () => {})
  socket.destroy()
}

function happens(socket: Socket, event: string, timeout: number | null): Promise<void> {
  const happened = new Promise<void>((resolve, reject) => {
    socket.once(event, resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new HostSocketError('reset', 'the connection was closed')))
  })
  return within(timeout, happened).finally(() => socket.removeAllListeners())
}

async function within<T>(timeout: number | null, promise: Promise<T>): Promise<T> {
  if (timeout === null) return promise
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HostSocketError('timeout', 'timed out')), timeout * 1000)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function readAuthorities(path: string): string[] {
  try {
    return authoritiesIn(path)
  } catch (error) {
    throw new HostSocketError(
      'tls',
      `cannot read the certificate authorities in ${path}: ${(error as Error).message}`,
    )
  }
}

/** OpenSSL's and Node's error codes for a certificate that is not trusted. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ISSUER|CRL|HOSTNAME/

function failureOf(error: unknown): SocketFailure {
  if (error instanceof HostSocketError) return { kind: error.kind, message: error.message }
  if (!(error instanceof Error)) return { kind: 'other', message: String(error) }
  // Several addresses failed.
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error
  const code = String((first as NodeJS.ErrnoException).code ?? '')
  const message = first.message || code
  const hostname = (first as { hostname?: string }).hostname ?? 'the host'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { kind: 'name', message: `${hostname} has no address (${code})` }
  if (code === 'ECONNREFUSED') return { kind: 'refused', message: 'connection refused' }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return { kind: 'reset', message: 'connection reset' }
  if (code === 'ETIMEDOUT') return { kind: 'timeout', message: 'timed out' }
  if (CERTIFICATE.test(code)) return { kind: 'certificate', message }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') return { kind: 'tls', message }
  return { kind: 'other', message }
}
