/** The HTTP server on the addresses of `metrics_bind`, in the arbiter. */
import { lstatSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Coded, coded } from '../../messages/coded.ts'
import { type BindAddress, formatBindAddress } from '../../settings/bind-address.ts'
import { knock, ListenError, withMode } from '../listeners.ts'
import { oneHeadAtATime } from '../one-head-at-a-time.ts'
import { isOwnHost } from './own-host.ts'

/** What a route answers. */
export interface OperationsAnswer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly fields?: Readonly<Record<string, string>>
}

/** One path, and who answers it. */
export interface OperationsRoute {
  readonly path: string
  /** In upper case. A route with GET has HEAD as well. */
  readonly method: 'GET' | 'POST'
  /**
   * Only requests whose Host is an address, `localhost` or the name of the address that is listened
   * on are answered: a page of another site, whose name leads here (DNS rebinding), is not. For
   * what a browser shows or what changes something. Health checks and Prometheus may use any name.
   */
  readonly ownHost: boolean
  /** @param body what was sent with a POST, at most {@link LARGEST_BODY} bytes */
  answer(request: IncomingMessage, body: Buffer): OperationsAnswer | Promise<OperationsAnswer>
}

/** The most bytes of a request's body. */
export const LARGEST_BODY = 64 * 1024
/** Connections at the same time; further ones are closed. */
export const MOST_CONNECTIONS = 128
/** How long a client may take to read an answer, in milliseconds … */
const ANSWER_MS = 60_000
/** … and for how long it is spared when others find no space. */
const SPARED_MS = 2000
/** The most bytes of answers that their clients have not taken. */
export const MOST_UNREAD = 32 * 1024 * 1024
const TEXT = 'text/plain; charset=utf-8'

export interface OperationsServerOptions {
  readonly routes: readonly OperationsRoute[]
  /** Logs an error of our own. */
  readonly failed: (text: Coded) => void
}

/**
 * Answers the routes. It serves a few clients of the operator's own, so it is Node's own HTTP
 * server, with small limits.
 */
export class OperationsServer {
  readonly #options: OperationsServerOptions
  readonly #servers: Server[] = []
  readonly #hosts = new Set<string>()
  /** Connections with a request that is not answered. */
  readonly #busy = new WeakSet<Socket>()
  /** Those that have not taken their answer, and since when; the longest first. */
  readonly #reading = new Map<Socket, number>()
  /** Bytes of these answers. */
  #unread = 0

  constructor(options: OperationsServerOptions) {
    this.#options = options
  }

  /**
   * @param mode of the file of a unix socket
   * @returns where it listens, for the log: `http://127.0.0.1:9400`
   * @throws ListenError
   */
  async listen(address: BindAddress, mode: number): Promise<string> {
    const server = createServer(
      {
        headersTimeout: 5000,
        requestTimeout: 10_000,
        keepAliveTimeout: 65_000,
        connectionsCheckingInterval: 5000,
        maxHeaderSize: 16 * 1024,
      },
      (request, response) => void this.#handle(request, response),
    )
    server.maxConnections = MOST_CONNECTIONS
    server.on('connection', oneHeadAtATime)
    server.on('drop', () => this.#makeSpace(server))
    server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      // A client that reads nothing does not close its side, and would have its place for ever.
      socket.destroy()
    })
    if (address.kind === 'unix') await removeStale(address.path)
    await listening(server, address, mode)
    if (address.kind === 'tcp') this.#hosts.add(address.host)
    server.on('error', () => {}) // accept(2) has failed; the client tries again
    // The rest of the server decides how long the process lives.
    server.unref()
    this.#servers.push(server)
    return shownAddress(server, address)
  }

  /** Stops listening, and ends all connections. */
  close(): void {
    for (const server of this.#servers.splice(0)) {
      server.close()
      server.closeAllConnections()
    }
    this.#hosts.clear()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request
    // Node would answer at the same time what a client sends ahead.
    if (this.#busy.has(socket)) return void socket.destroy()
    this.#busy.add(socket)
    response.once('close', () => this.#busy.delete(socket))
    let answer: OperationsAnswer
    try {
      answer = await this.#answer(request)
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      const line = `${request.method} ${request.url?.slice(0, 200)}`
      this.#options.failed(coded('MONO8202', `Cannot answer ${line}: ${text}`))
      answer = plain(500, 'The server could not answer; its error log says why')
    }
    if (socket.destroyed) return
    const length = Buffer.byteLength(answer.body)
    if (this.#unread + length > MOST_UNREAD)
      answer = {
        ...plain(503, 'Too many clients do not read their answers'),
        fields: { 'Retry-After': '60' },
      }
    else this.#await(socket, response, length)
    const { status, type, body, fields } = answer
    // What was not read of the request ends the connection.
    if (!request.complete) response.setHeader('Connection', 'close')
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...fields,
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  /** Counts an answer until its client has taken it, and does not wait for that forever. */
  #await(socket: Socket, response: ServerResponse, length: number): void {
    this.#unread += length
    this.#reading.set(socket, performance.now())
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS).unref()
    response.once('close', () => {
      this.#unread -= length
      this.#reading.delete(socket)
      clearTimeout(timer)
    })
  }

  /** A connection was closed, because there are too many: the next one finds space. */
  #makeSpace(server: Server): void {
    server.closeIdleConnections()
    const before = performance.now() - SPARED_MS
    for (const [socket, since] of this.#reading) {
      if (since > before) return
      socket.destroy()
    }
  }

  async #answer(request: IncomingMessage): Promise<OperationsAnswer> {
    const path = (request.url ?? '').split('?', 1)[0]
    const here = this.#options.routes.filter((route) => route.path === path)
    if (here.length === 0) return plain(404, 'There is nothing here')
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const route = here.find((one) => one.method === method)
    if (route === undefined) {
      const allowed = here.flatMap((one) => (one.method === 'GET' ? ['GET', 'HEAD'] : [one.method]))
      const allow = allowed.join(', ')
      return { ...plain(405, `Use ${allow}`), fields: { Allow: allow } }
    }
    if (route.ownHost && !isOwnHost(request.headers.host, this.#hosts))
      return plain(421, 'This host name is not known here; use the address of metrics_bind')
    const body = await bodyOf(request)
    if (body === null) return plain(413, `A body has at most ${LARGEST_BODY} bytes`)
    return await route.answer(request, body)
  }
}

/** A line of text. */
export function plain(status: number, text: string): OperationsAnswer {
  return { status, type: TEXT, body: `${text}\n` }
}

/** To a request without the control token. */
export const TOKEN_WANTED: OperationsAnswer = {
  ...plain(401, 'Give the control token: Authorization: Bearer TOKEN'),
  fields: { 'WWW-Authenticate': 'Bearer realm="monoceros control"' },
}

/** @returns null if it is too long */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LARGEST_BODY) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function listening(server: Server, address: BindAddress, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explained(error, address)))
    const where =
      address.kind === 'tcp'
        ? { host: address.host, port: address.port }
        : { path: (address as { path: string }).path }
    // Bound before `listen` returns.
    withMode(mode, () => server.listen(where, resolve))
  })
}

/** A {@link ListenError} for an address that is in use, which may be free soon. */
export class AddressInUse extends ListenError {}

function explained(error: NodeJS.ErrnoException, address: BindAddress): ListenError {
  const where = formatBindAddress(address)
  if (error.code === 'EADDRINUSE')
    return new AddressInUse(
      coded(
        'MONO8201',
        `Address already in use: ${where} (metrics_bind). Stop the process that listens there or ` +
          'choose another address.',
      ),
    )
  return new ListenError(
    coded('MONO8201', `Cannot listen at ${where} (metrics_bind): ${error.message}`),
  )
}

/** Removes the socket file of a server that is gone. */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return
  if ((await knock(path)) === 'ECONNREFUSED') unlinkSync(path)
}

function shownAddress(server: Server, address: BindAddress): string {
  if (address.kind !== 'tcp') return formatBindAddress(address)
  const { address: host, port } = server.address() as AddressInfo
  return `http://${formatBindAddress({ kind: 'tcp', host, port })}`
}
