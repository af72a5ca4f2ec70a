/** HTTP on the control socket. Loaded with the first connection. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ArbiterActions } from '../actions.ts'
import { oneHeadAtATime } from '../one-head-at-a-time.ts'
import { ControlRoutes, type RouteAnswer, whileConnected } from './control-routes.ts'

/** How much an action's arguments may take, in bytes. */
const BODY_LIMIT = 64 * 1024
/** How long a client may take to send its request, in milliseconds. */
const REQUEST_MS = 10_000
/** How long it may take to read the answer, in milliseconds. */
const ANSWER_MS = 60_000

/** Answers on connections of the control socket. */
export class ControlServer {
  readonly #http: Server
  readonly #routes: ControlRoutes
  /** When a connection is ended at the latest, whatever little it sends or reads. */
  readonly #limits = new WeakMap<Socket, NodeJS.Timeout>()
  /** Connections that have had their request. */
  readonly #used = new WeakSet<Socket>()

  /** @param pid of the arbiter */
  constructor(actions: ArbiterActions, pid: number) {
    this.#routes = new ControlRoutes(actions, pid)
    this.#http = createServer((request, response) => void this.#answer(request, response))
  }

  /**
   * Takes over a new connection. Node watches over the time only in servers that listen themselves.
   */
  take(socket: Socket): void {
    this.#limit(socket, REQUEST_MS)
    socket.on('close', () => this.#endLimit(socket))
    this.#http.emit('connection', socket)
    oneHeadAtATime(socket)
  }

  #limit(socket: Socket, milliseconds: number): void {
    const timer = setTimeout(() => socket.destroy(), milliseconds)
    timer.unref()
    this.#limits.set(socket, timer)
  }

  #endLimit(socket: Socket): void {
    clearTimeout(this.#limits.get(socket))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A request that breaks off, or is given up, loses its socket.
    const { socket } = request
    if (this.#used.has(socket)) return void socket.destroy()
    this.#used.add(socket)
    const body = await readBody(request).catch(() => null)
    if (body === null) return void socket.destroy()
    // A reload may take long, and its client waits in silence.
    this.#endLimit(socket)
    const { method = '', url = '' } = request
    const { status, content } = await whileConnected(socket, (gone) =>
      this.#routes.answer(method, url, body, { cause: 'monoceros ctl', gone }),
    )
    if (socket.destroyed) return
    this.#limit(socket, ANSWER_MS)
    send(response, { status, content })
  }
}

function send(response: ServerResponse, { status, content }: RouteAnswer): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' })
  response.end(`${JSON.stringify(content)}\n`)
}

/** @throws Error if it is too long, or breaks off */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > BODY_LIMIT) throw new Error('The body is too long')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}
