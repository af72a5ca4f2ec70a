import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RawConnection } from '../../tests/support/raw-client.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { Span } from '../bytes/span.ts'
import { UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import type { Connection, ConnectionContext, Protocol, RequestInProgress } from './connection.ts'
import type { Deadlined } from './deadlines.ts'
import type { Peer, Reply, RequestHandler, RequestSink } from './exchange.ts'
import { fieldNames } from './field-names.ts'
import { h1 } from './h1/protocol.ts'
import { HttpServer } from './http-server.ts'
import type { IdleMember } from './idle-connections.ts'
import { DEFAULT_HEAD_LIMITS } from './limits.ts'
import type { RequestHead } from './request-head.ts'
import { type Field, type ResponseHead, responseHead } from './response-head.ts'

/**
 * A second protocol, for this test only: several exchanges at once on one connection, as in HTTP/2.
 * Lines go both ways. `7 GET /path` is request 7; a response is `7 200 name=value … body`.
 */
const lines: Protocol = {
  connect: (socket, context) => new LineConnection(socket, context),
  turnAway: (socket) => void socket.write('full\n'),
}

class LineHead implements RequestHead {
  readonly bytes: Buffer
  readonly protocol = 'LINES/1'
  readonly method: string
  readonly targetForm = 'origin'
  readonly targetStart: number
  readonly targetEnd: number
  readonly pathStart: number
  readonly pathEnd: number
  readonly queryStart: number
  readonly queryEnd: number
  readonly hasQuery = false
  readonly hasAuthority = false
  readonly authorityStart: number
  readonly authorityEnd: number
  readonly fieldCount = 1
  readonly fields: readonly number[]
  readonly names = [fieldNames.named('x-line')]
  readonly host = -1
  readonly hasBody = false
  readonly contentLength = -1
  readonly expectContinue = false
  secure = false
  readonly client = null
  readonly scriptName = null
  readonly trace = null
  readonly times = null

  constructor(line: string) {
    const [, method = '', path = ''] = line.split(' ')
    this.bytes = Buffer.from(line, 'latin1')
    this.method = method
    this.targetStart = this.pathStart = line.length - path.length
    const end = line.length
    this.targetEnd = this.pathEnd = this.queryStart = this.queryEnd = end
    this.authorityStart = this.authorityEnd = end
    this.fields = [0, 0, 0, end]
  }

  get target(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd)
  }

  requestLine(): string {
    return `${this.method} ${this.target} ${this.protocol}`
  }

  value(): string {
    return this.bytes.toString('latin1')
  }

  get(lowerName: string): string | undefined {
    return lowerName === 'x-line' ? this.value() : undefined
  }
}

class LineConnection implements Connection, Deadlined, Peer {
  readonly kind = 'http1'
  idleBefore: Connection | null = null
  idleAfter: Connection | null = null
  idleIn: IdleMember<Connection>['idleIn'] = null
  idleSince = 0
  environPart: object | null = null
  deadlinesPlace = -1
  serverPlace = -1
  readonly remoteAddress = '192.0.2.1'
  readonly remotePort = 1
  readonly localAddress = '192.0.2.2'
  readonly localPort = 2
  readonly encrypted = true
  readonly tls = null
  readonly streams = new Set<LineReply>()
  readonly socket: Socket
  readonly context: ConnectionContext
  #text = ''

  inProgress(): readonly RequestInProgress[] {
    return []
  }

  constructor(socket: Socket, context: ConnectionContext) {
    this.socket = socket
    this.context = context
    context.deadlines.add(this)
    context.idle.addSilent(this)
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      for (const stream of this.streams) stream.end(false)
      this.idleIn?.delete(this)
      context.deadlines.delete(this)
      context.closed(this)
    })
  }

  get idle(): boolean {
    return this.streams.size === 0
  }

  received(bytes: Span): void {
    this.#text += bytes.latin1()
    const whole = this.#text.split('\n')
    this.#text = whole.pop() ?? ''
    for (const line of whole) {
      this.idleIn?.delete(this)
      const reply = new LineReply(this, line.split(' ')[0] ?? '')
      this.streams.add(reply)
      const sink = this.context.handler(new LineHead(line), reply)
      reply.sink = sink
      sink.begin()
      sink.bodyEnd()
    }
  }

  checkDeadlines(now: number): void {
    for (const stream of this.streams) {
      if (stream.deadline <= now) stream.abort()
    }
  }

  closeWhenIdle(): void {
    if (this.idle) this.closeIdle()
  }

  closeIdle(): void {
    this.socket.end()
    this.idleIn?.delete(this)
  }

  destroy(): void {
    this.socket.destroy()
  }

  relieve(): void {}
}

/** One of several exchanges of a connection, with a deadline of its own. */
class LineReply implements Reply {
  sink: RequestSink | null = null
  bytesSent = 0
  readonly taken = 0
  readonly peer: LineConnection
  readonly deadline: number
  readonly #number: string
  #sent = ''

  constructor(connection: LineConnection, number: string) {
    this.peer = connection
    this.#number = number
    this.deadline = connection.context.deadlines.in(connection.context.timeouts.write)
  }

  respond(head: ResponseHead, body: Span): boolean {
    this.start(head, body)
    this.finish()
    return false
  }

  inform(): void {}

  start(head: ResponseHead, body?: Span): boolean {
    const fields = head.fields.map(([name, value]) => `${name}=${value} `).join('')
    this.#sent = `${this.#number} ${head.status} ${fields}`
    if (body !== undefined) this.data(body)
    return false
  }

  data(body: Span): boolean {
    this.#sent += body.latin1()
    this.bytesSent += body.length
    return false
  }

  finish(): void {
    this.peer.socket.write(`${this.#sent}\n`)
    this.end(true)
  }

  abort(): void {
    this.peer.socket.write(`${this.#number} aborted\n`)
    this.end(false)
  }

  refuse(status: number, options: { fields?: readonly Field[] } = {}): void {
    this.respond(responseHead(status, options.fields ?? []), new Span())
  }

  pauseBody(): void {}
  resumeBody(): void {}
  wantBody(): void {}

  end(completed: boolean): void {
    const { streams, context } = this.peer
    if (!streams.delete(this)) return
    if (streams.size === 0) context.idle.add(this.peer)
    this.sink?.closed(completed)
  }
}

/** One handler for both: answers with the path, `/held` never, `/slow` a moment later. */
const handler: RequestHandler = (head, reply) => ({
  begin: () => void begun.push(head.target),
  bodyData() {},
  bodyEnd() {
    const answer = () => {
      const fields: Field[] = [
        ['X-Protocol', head.protocol],
        ['X-Encrypted', String(reply.peer.encrypted)],
      ]
      const body = Buffer.from(head.target)
      reply.respond(responseHead(200, fields), new Span().set(body, 0, body.length))
    }
    if (head.target === '/slow') setTimeout(answer, 50)
    else if (head.target !== '/held') answer()
  },
  clientEnded() {},
  written() {},
  closed: (completed) => closed.push(`${head.target} ${completed}`),
})
const begun: string[] = []
const closed: string[] = []

async function serve(protocol: Protocol, maxConnections = 0, write = 0.3) {
  const server = new HttpServer({
    protocol,
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 30, body: 30, keepAlive: 30, write, wholeBody: 0 },
    rates: { body: 0, write: 0 },
    memory: UNLIMITED_MEMORY,
    serverName: '',
    handler,
    maxConnections,
    refused: () => {},
    turnsAway: () => {},
  })
  const listening = await server.listen({ port: 0, host: '127.0.0.1' }, () => {})
  onTestFinished(() => server.stop(0))
  return { server, port: (listening.address() as AddressInfo).port }
}

async function talk(port: number, text: string, until: RegExp): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write(text)
  let got = ''
  for await (const chunk of socket) {
    got += chunk
    if (until.test(got)) break
  }
  return got
}

describe('a second protocol beside HTTP/1.x', () => {
  it('has the same server and the same handler, and exchanges side by side', async () => {
    const { port } = await serve(lines)
    expect(await talk(port, '1 GET /slow\n2 GET /b\n', /\/slow\n/)).toBe(
      '2 200 X-Protocol=LINES/1 X-Encrypted=true /b\n' +
        '1 200 X-Protocol=LINES/1 X-Encrypted=true /slow\n',
    )
    const other = await serve(h1)
    const client = await RawConnection.open(other)
    const response = await client.request('GET /b HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(response.text).toBe('/b')
    expect(response.header('X-Protocol')).toBe('HTTP/1.1')
    expect(response.header('X-Encrypted')).toBe('false')
  })

  it('can be chosen for each connection', async () => {
    let count = 0
    const chosen: Protocol = {
      connect: (socket, context) => (count++ === 0 ? lines : h1).connect(socket, context),
      turnAway: (socket) => h1.turnAway(socket),
    }
    const { port } = await serve(chosen)
    expect(await talk(port, '1 GET /a\n', /\n/)).toContain('LINES/1')
    const client = await RawConnection.open({ port })
    const response = await client.request('GET /b HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(response.header('X-Protocol')).toBe('HTTP/1.1')
  })

  it('has deadlines for each exchange, and not for the connection', async () => {
    const { port } = await serve(lines)
    closed.length = 0
    expect(await talk(port, '1 GET /held\n2 GET /slow\n', /aborted/)).toBe(
      '2 200 X-Protocol=LINES/1 X-Encrypted=true /slow\n1 aborted\n',
    )
    expect(closed).toEqual(['/slow true', '/held false'])
  })

  it('turns connections away in its own words, and has its idle ones closed for new ones', async () => {
    const { port } = await serve(lines, 1, 2)
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    closed.length = 0
    begun.length = 0
    socket.write('1 GET /held\n')
    await waitFor('its exchange to begin', () => begun.includes('/held'))
    expect(await talk(port, '', /\n/)).toBe('full\n')
    await waitFor('its exchange to be aborted', () => closed.includes('/held false'))
    expect(await talk(port, '1 GET /b\n', /\n/)).toContain(' /b')
    await new Promise((resolve) => socket.once('close', resolve).resume())
  })
})
