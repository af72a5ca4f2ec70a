import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A request that was not answered as it should have been. Times as of `performance.now()`. */
export interface Failure {
  readonly kind: string
  /** `502`, `ECONNRESET: …`, `a wrong body: …` */
  readonly reason: string
  /** When the request was made. */
  readonly from: number
  /** When its connection was established; infinite if it never was. */
  readonly connected: number
  readonly to: number
}

/** What a client sends, and the body that it expects. */
interface Kind {
  readonly name: string
  readonly path: string
  readonly body?: Buffer
  readonly expected: string
  readonly keepAlive: boolean
}

const UPLOAD = Buffer.alloc(100_000, 'u')
const STREAM = Array.from({ length: 10 }, (_, number) => String(number).repeat(1000)).join('')

/** Requests of tests/apps/steady.py: short, streamed, uploads; with keep-alive and without. */
const KINDS: readonly Kind[] = [
  { name: 'short', path: '/', expected: 'hello', keepAlive: true },
  { name: 'short, closing', path: '/', expected: 'hello', keepAlive: false },
  { name: 'upload', path: '/length', body: UPLOAD, expected: '100000', keepAlive: true },
  { name: 'upload, closing', path: '/length', body: UPLOAD, expected: '100000', keepAlive: false },
  { name: 'stream', path: '/stream', expected: STREAM, keepAlive: true },
  { name: 'stream, closing', path: '/stream', expected: STREAM, keepAlive: false },
]

/** Two clients of each kind that send one request after another, until they are stopped. */
export class SteadyLoad {
  readonly failures: Failure[] = []
  answered = 0
  #stopping = false
  readonly #running: Promise<unknown>

  constructor(target: { readonly host: string; readonly port: number }, clientsOfEach = 2) {
    const clients = KINDS.flatMap((kind) => Array.from({ length: clientsOfEach }, () => kind))
    this.#running = Promise.all(clients.map((kind) => this.#run(target, kind)))
  }

  /** Resolves when that many more requests were answered, or not. */
  async goesOn(requests: number): Promise<void> {
    const goal = this.#done + requests
    while (this.#done < goal) await sleep(10)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  get #done(): number {
    return this.answered + this.failures.length
  }

  async #run(target: { host: string; port: number }, kind: Kind): Promise<void> {
    const agent = new Agent({ keepAlive: kind.keepAlive, maxSockets: 1 })
    while (!this.#stopping) {
      const failure = await send(target, kind, agent)
      if (failure === null) this.answered++
      else this.failures.push(failure)
      // Each client is soon in a request or on an idle connection again, whatever happens to the
      // server, and the processors are left to what starts. What refuses everything must not be
      // asked a million times either.
      await sleep(20)
    }
    agent.destroy()
  }
}

const connectedAt = new WeakMap<Socket, number>()

async function send(
  { host, port }: { host: string; port: number },
  { name, path, body, expected }: Kind,
  agent: Agent,
): Promise<Failure | null> {
  const from = performance.now()
  let connected = Number.POSITIVE_INFINITY
  try {
    const method = body === undefined ? 'GET' : 'POST'
    const sent = request({ host, port, path, method, agent })
    sent.on('socket', (socket) => {
      const known = connectedAt.get(socket)
      if (known !== undefined) connected = known
      else
        socket.once('connect', () => {
          connected = performance.now()
          connectedAt.set(socket, connected)
        })
    })
    const response = await responseTo(sent, body)
    let text = ''
    response.setEncoding('latin1')
    for await (const piece of response) text += piece
    if (response.statusCode !== 200) throw new Error(String(response.statusCode))
    if (text !== expected) throw new Error(`a wrong body: ${text.length} bytes`)
    return null
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const reason = code === '' ? message : `${code}: ${message}`
    return { kind: name, reason, from, connected, to: performance.now() }
  }
}

function responseTo(sent: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end(body)
  })
}
