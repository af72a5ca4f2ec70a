import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RawConnection } from '../../../tests/support/raw-client.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { Span } from '../../bytes/span.ts'
import { ResponseBlock } from '../../field-block/response-block.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import { acceptSockets } from '../../transport/accept-sockets.ts'
import type { ConnectionContext } from '../connection.ts'
import { Deadlines } from '../deadlines.ts'
import type { Reply, RequestSink } from '../exchange.ts'
import { IdleConnections } from '../idle-connections.ts'
import { DEFAULT_HEAD_LIMITS } from '../limits.ts'
import type { Refusal } from '../refusal.ts'
import type { RequestHead } from '../request-head.ts'
import type { ResponseHead } from '../response-head.ts'
import { H1Connection } from './connection.ts'

/** One request as the handler saw it, and everything that was said of it since. */
class Recorder implements RequestSink {
  readonly head: RequestHead
  readonly reply: Reply
  readonly said: string[] = []
  body = ''
  writtenBytes = 0
  ended = false
  completed: boolean | null = null
  refusedWith: number | undefined
  readonly #script: Script

  constructor(head: RequestHead, reply: Reply, script: Script) {
    this.head = head
    this.reply = reply
    this.#script = script
  }

  get path(): string {
    return this.head.target
  }

  begin(): void {
    this.said.push('begin')
    this.#script.begin?.(this)
  }

  bodyData(chunk: Buffer): void {
    this.body += chunk.toString('latin1')
    this.#script.bodyData?.(this, chunk)
  }

  bodyEnd(): void {
    this.said.push('bodyEnd')
    this.ended = true
    this.#script.bodyEnd?.(this)
  }

  clientEnded(): void {
    this.said.push('clientEnded')
  }

  written(bytes: number): void {
    this.writtenBytes += bytes
    this.#script.written?.(this, bytes)
  }

  closed(completed: boolean, refusedWith?: number): void {
    if (this.completed !== null) throw new Error('closed twice')
    this.said.push('closed')
    this.completed = completed
    this.refusedWith = refusedWith
  }
}

const SCRIBBLE = 0x23

/**
 * Answers with memory that is used for something else as soon as it is not needed any more, as a
 * runtime does.
 */
function respond(reply: Reply, head: ResponseHead, body: Buffer | null): void {
  const span = lend(body)
  if (!reply.respond(head, span)) span.bytes.fill(SCRIBBLE)
}

function data(reply: Reply, chunk: Buffer): void {
  const span = lend(chunk)
  span.free = span.start
  if (!reply.data(span)) span.bytes.fill(SCRIBBLE)
}

function lend(body: Buffer | null): Span {
  const length = body?.length ?? 0
  const bytes = Buffer.alloc(1000 + length + 10, SCRIBBLE)
  body?.copy(bytes, 1000)
  return new Span().lend(bytes, 1000, 1000 + length, 0)
}

interface Script {
  begin?(request: Recorder): void
  bodyData?(request: Recorder, chunk: Buffer): void
  bodyEnd?(request: Recorder): void
  written?(request: Recorder, bytes: number): void
}

interface Bench {
  readonly port: number
  readonly requests: Recorder[]
  readonly refusals: Refusal[]
  readonly connections: H1Connection[]
  readonly sockets: Socket[]
  readonly context: ConnectionContext
  closed: number
  /** The request with that number, when it is there. */
  request(number: number): Promise<Recorder>
}

type Timeouts = ConnectionContext['timeouts']

function makeContext(
  script: Script,
  timeouts: Partial<Timeouts>,
  requests: Recorder[],
  refusals: Refusal[],
  closed: () => void,
): ConnectionContext {
  const deadlines = new Deadlines()
  return {
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 10, body: 10, wholeBody: 0, keepAlive: 10, write: 10, ...timeouts },
    rates: { body: 240, write: 240 },
    memory: new MemoryBudget(Number.POSITIVE_INFINITY),
    serverName: 'test',
    deadlines,
    idle: new IdleConnections(deadlines),
    handler: (head, reply) => {
      const recorder = new Recorder(head, reply, script)
      requests.push(recorder)
      return recorder
    },
    refused: (refusal) => refusals.push(refusal),
    replaced: () => {},
    closed,
    stopping: false,
    patient: false,
  }
}

async function serve(
  script: Script,
  timeouts: Partial<Timeouts> = {},
  budgets: Partial<Pick<ConnectionContext, 'memory' | 'rates'>> = {},
): Promise<Bench> {
  const requests: Recorder[] = []
  const refusals: Refusal[] = []
  const connections: H1Connection[] = []
  const sockets: Socket[] = []
  const context = {
    ...makeContext(script, timeouts, requests, refusals, () => bench.closed++),
    ...budgets,
  }
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  acceptSockets(server, (socket) => {
    const connection = new H1Connection(socket, context)
    sockets.push(socket)
    connections.push(connection)
    return connection
  })
  const bench: Bench = {
    port: (server.address() as { port: number }).port,
    requests,
    refusals,
    connections,
    sockets,
    context,
    closed: 0,
    request: (number) => waitFor(`request ${number}`, () => requests[number]),
  }
  onTestFinished(async () => {
    for (const connection of connections) connection.destroy()
    await new Promise((resolve) => server.close(resolve))
    await waitFor('every exchange to be closed', () =>
      requests.every((request) => request.completed !== null),
    )
    await waitFor('every connection to be told of', () => bench.closed === connections.length)
  })
  return bench
}

function head(fields = '', status = '200 OK'): ResponseHead {
  const length = /^content-length: *(\d+)/im.exec(fields)
  return new ResponseBlock(`${status}\r\n${fields}`, {
    status: Number(status.slice(0, 3)),
    contentLength: length ? Number(length[1]) : -1,
    hasDate: /^date:/im.test(fields),
    hasServer: /^server:/im.test(fields),
  })
}

/** Answers every request with its target, when its body is there. */
const echoTarget: Script = {
  bodyEnd: (request) => respond(request.reply, head(), Buffer.from(request.path)),
}
/** Leaves the answer to the test. */
const silent: Script = { begin: (request) => request.reply.wantBody() }

const get = (path: string, fields = '', version = '1.1'): string =>
  `GET ${path} HTTP/${version}\r\nHost: a\r\n${fields}\r\n`
const post = (path: string, body: string, fields = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`

describe('a connection', () => {
  it('serves one request after another', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    for (const path of ['/1', '/2', '/3']) {
      const response = await client.request(get(path))
      expect(response).toMatchObject({ status: 200, text: path, framing: 'length', version: '1.1' })
      expect(response.header('Connection')).toBeUndefined()
      expect(response.header('Server')).toBe('test')
      expect(response.header('Date')).toMatch(/ GMT$/)
    }
    expect(bench.requests.map(({ said }) => said)).toEqual(
      Array(3).fill(['begin', 'bodyEnd', 'closed']),
    )
    expect(bench.requests.every(({ completed }) => completed === true)).toBe(true)
  })

  it('answers pipelined requests in order, one at a time, however long each takes', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/1') + get('/2') + post('/3', 'body') + get('/4'))
    for (const number of [0, 1, 2, 3]) {
      const request = await bench.request(number)
      await waitFor('the request to be whole', () => request.ended)
      await new Promise((resolve) => setImmediate(resolve))
      expect(bench.requests.length).toBe(number + 1)
      respond(request.reply, head(), Buffer.from(request.path + request.body))
      expect((await client.readResponse()).text).toBe(['/1', '/2', '/3body', '/4'][number])
    }
  })

  it('lends its socket for a part of a body, and goes on with it afterwards', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/1') + get('/2'))
    const { reply } = await bench.request(0)
    reply.start(head('Content-Length: 12\r\n'))
    const lent = reply.lend!(7)!
    expect(lent.socket).toBe(bench.sockets[0])
    expect(lent.before).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/)
    lent.socket.write(`${lent.before}another`) // as a process that has the descriptor
    reply.lendingEnded!(lent.before.length + 7)
    data(reply, Buffer.from(' one.'))
    expect(reply.bytesSent).toBe(12)
    reply.finish()
    expect((await client.readResponse()).text).toBe('another one.')
    respond((await bench.request(1)).reply, head(), Buffer.from('next'))
    expect((await client.readResponse()).text).toBe('next')
  })

  it.each([1, 40])('sends the rest of a head of which a borrower sent %i bytes', async (sent) => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const { reply } = await bench.request(0)
    reply.start(head('Content-Length: 7\r\n'))
    const { socket, before } = reply.lend!(7)!
    socket.write(before.slice(0, sent))
    reply.lendingEnded!(sent)
    data(reply, Buffer.from('another'))
    reply.finish()
    expect((await client.readResponse()).text).toBe('another')
  })

  it('sends a long head itself', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const { reply } = await bench.request(0)
    reply.start(head(`Content-Length: 7\r\nX: ${'x'.repeat(5000)}\r\n`))
    const { socket, before } = reply.lend!(7)!
    expect(before).toBe('')
    socket.write('another')
    reply.lendingEnded!(7)
    reply.finish()
    expect((await client.readResponse()).text).toBe('another')
  })

  it('sends a head whose body does not follow at once', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/1'))
    const { reply } = await bench.request(0)
    reply.start(head('Content-Length: 4\r\n'))
    expect((await client.readSome()).toString()).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/)
    data(reply, Buffer.from('body'))
    reply.finish()
    expect((await client.readSome()).toString()).toBe('body')
    await client.send(get('/2'))
    const second = (await bench.request(1)).reply
    second.start(head('Content-Length: 4\r\n'))
    second.abort()
    const { rest, ending } = await client.readToEnd()
    expect([rest.toString().endsWith('\r\n\r\n'), ending]).toEqual([true, 'closed'])
  })

  it.each([
    ['a body in chunks', '', 'GET', 5],
    ['more than the declared length', 'Content-Length: 4\r\n', 'GET', 5],
    ['the answer to HEAD', 'Content-Length: 5\r\n', 'HEAD', 5],
  ])('does not lend its socket for %s', async (_, fields, method, bytes) => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`)
    const { reply } = await bench.request(0)
    reply.start(head(fields))
    expect(reply.lend!(bytes)).toBeNull()
    reply.abort()
  })

  it('does not lend its socket before a head, nor while other bytes wait', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const { reply } = await bench.request(0)
    expect(reply.lend!(5)).toBeNull()
    reply.start(head('Content-Length: 100000000\r\n'))
    data(reply, Buffer.alloc(50_000_000))
    expect(reply.lend!(5)).toBeNull()
    reply.abort(true)
  })

  it('gives up on another process that does not give its socket back', async () => {
    const bench = await serve(silent, { write: 0.1 })
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const request = await bench.request(0)
    request.reply.start(head('Content-Length: 5\r\n'))
    request.reply.lend!(5)
    await waitFor('the end', () => request.completed === false)
    expect(bench.refusals.map(({ status }) => status)).toEqual([408])
    expect((await client.readToEnd()).ending).toBe('reset')
  })

  it('takes the same bytes in any pieces', async () => {
    const bench = await serve({
      bodyEnd: (request) =>
        respond(request.reply, head(), Buffer.from(request.path + request.body)),
    })
    const client = await RawConnection.open(bench)
    const bytes =
      get('/1') +
      post('/2', 'abc') +
      'POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n' +
      get('/4')
    await client.drip(bytes, 0, 1)
    for (const text of ['/1', '/2abc', '/3xyz', '/4'])
      expect((await client.readResponse()).text).toBe(text)
  })

  it('does not read on for a client that sends far ahead of its answers', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    const one = get('/first')
    client.socket.write(one + get('/x', `X: ${'y'.repeat(4000)}\r\n`).repeat(5000)) // 20 MB
    const first = await bench.request(0)
    await waitFor('the socket to be paused', () => bench.sockets[0]!.isPaused())
    expect(bench.sockets[0]!.bytesRead).toBeLessThan(512 * 1024)
    respond(first.reply, head(), null)
    expect((await client.readResponse()).status).toBe(200)
    await bench.request(1)
    expect(bench.sockets[0]!.bytesRead).toBeLessThan(1024 * 1024)
  })

  it('notices a client that has left while its request is answered, after a paused body too', async () => {
    const bench = await serve({ bodyData: (request) => request.reply.pauseBody() })
    const client = await RawConnection.open(bench)
    await client.send(post('/', 'some body'))
    const request = await bench.request(0)
    await waitFor('the body', () => request.ended)
    client.reset()
    await waitFor('the end', () => request.completed === false)
  })

  it('takes the body of the next request when the one before ended in a pause', async () => {
    const bench = await serve({
      bodyData: (request) => request.reply.pauseBody(),
      bodyEnd: (request) => respond(request.reply, head(), Buffer.from(request.body)),
    })
    const client = await RawConnection.open(bench)
    for (const body of ['one', 'two', 'three']) {
      expect((await client.request(post('/', body))).text).toBe(body)
    }
    await client.send(post('/', 'four') + post('/', 'five'))
    expect((await client.readResponse()).text).toBe('four')
    expect((await client.readResponse()).text).toBe('five')
  })

  it('gives no more of a body while it is paused', async () => {
    const bench = await serve({ bodyData: (request) => request.reply.pauseBody() })
    const client = await RawConnection.open(bench)
    const body = 'x'.repeat(3_000_000)
    client.socket.write(post('/', body))
    const request = await bench.request(0)
    let seen = 0
    while (!request.ended) {
      await waitFor('a piece', () => request.body.length > seen)
      seen = request.body.length
      await new Promise((resolve) => setImmediate(resolve))
      expect(request.body.length).toBe(seen)
      request.reply.resumeBody()
    }
    expect(request.body).toBe(body)
  })
})

describe('the framing of a response', () => {
  async function answered(
    request: string,
    script: (reply: Reply) => void,
    method = 'GET',
  ): Promise<
    Awaited<ReturnType<RawConnection['readResponse']>> & { client: RawConnection; bench: Bench }
  > {
    const bench = await serve({
      begin: ({ reply }) => reply.wantBody(),
      bodyEnd: ({ reply }) => script(reply),
    })
    const client = await RawConnection.open(bench)
    await client.send(request)
    const response = await client.readResponse(method)
    return Object.assign(response, { client, bench })
  }
  const inPieces = (...pieces: string[]) => {
    return (reply: Reply) => {
      reply.start(head())
      for (const piece of pieces) data(reply, Buffer.from(piece))
      reply.finish()
    }
  }

  it('is chunked for HTTP/1.1 when the length is not known', async () => {
    const response = await answered(get('/'), inPieces('abc', '', 'defg'))
    expect(response).toMatchObject({ framing: 'chunked', text: 'abcdefg', complete: true })
    expect(response.chunks.map(String)).toEqual(['abc', 'defg'])
    expect(response.header('Connection')).toBeUndefined()
  })

  it('is the end of the connection for HTTP/1.0', async () => {
    const response = await answered(
      get('/', 'Connection: keep-alive\r\n', '1.0'),
      inPieces('abc', 'defg'),
    )
    expect(response).toMatchObject({ framing: 'close', text: 'abcdefg', complete: true })
    expect(response.header('Transfer-Encoding')).toBeUndefined()
    expect(response.header('Connection')).toBe('close')
  })

  it('is a length for HTTP/1.0 that asks to keep the connection', async () => {
    const { client, ...response } = await answered(
      get('/', 'Connection: keep-alive\r\n', '1.0'),
      (reply) => respond(reply, head(), Buffer.from('abc')),
    )
    expect(response.framing).toBe('length')
    expect(response.headers).toContainEqual(['Connection', 'keep-alive'])
    expect((await client.request(get('/', '', '1.0'))).header('Connection')).toBe('close')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('is the length that the application declared', async () => {
    const response = await answered(get('/'), (reply) => {
      reply.start(head('Content-Length: 6\r\n'))
      data(reply, Buffer.from('abc'))
      data(reply, Buffer.from('def'))
      reply.finish()
    })
    expect(response).toMatchObject({ framing: 'length', text: 'abcdef' })
  })

  it.each([
    [
      'in one piece',
      (reply: Reply) => respond(reply, head('Content-Length: 3\r\n'), Buffer.from('abcdef')),
    ],
    [
      'in several',
      (reply: Reply) => {
        reply.start(head('Content-Length: 3\r\n'))
        data(reply, Buffer.from('ab'))
        data(reply, Buffer.from('cd'))
        data(reply, Buffer.from('ef'))
        reply.finish()
      },
    ],
  ])('cuts off what is over the declared length, %s', async (_, script) => {
    const { client, ...response } = await answered(get('/'), script)
    expect(response.body.toString()).toBe('abc')
    expect((await client.request(get('/'))).text).toBe('abc')
  })

  it.each([
    [
      'in one piece',
      (reply: Reply) => respond(reply, head('Content-Length: 10\r\n'), Buffer.from('abc')),
    ],
    ['without a body', (reply: Reply) => respond(reply, head('Content-Length: 10\r\n'), null)],
    [
      'in several',
      (reply: Reply) => {
        reply.start(head('Content-Length: 10\r\n'))
        data(reply, Buffer.from('abc'))
        reply.finish()
      },
    ],
  ])('shows a body that is shorter than declared by closing, %s', async (_, script) => {
    const response = await answered(get('/'), script)
    expect(response.complete).toBe(false)
    expect(response.bench.requests[0]!.completed).toBe(false)
  })

  it('breaks off a chunked body without its last chunk', async () => {
    const response = await answered(get('/'), (reply) => {
      reply.start(head())
      data(reply, Buffer.from('abc'))
      reply.abort()
    })
    expect(response).toMatchObject({ complete: false, text: 'abc' })
  })

  it('breaks off a body without framing at once, and does not call it complete', async () => {
    // By a reset, which not every kernel that tests run on delivers as one.
    const response = await answered(get('/', '', '1.0'), (reply) => {
      reply.start(head())
      data(reply, Buffer.from('abc'))
      reply.abort()
    })
    expect(response.text).toBe('abc')
    expect(response.bench.requests[0]!.completed).toBe(false)
    expect(response.bench.sockets[0]!.destroyed).toBe(true)
  })

  it('has no body for HEAD, and says of it what the application says', async () => {
    const head0 = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
    const declared = await answered(
      head0,
      (reply) => respond(reply, head('Content-Length: 5\r\n'), Buffer.from('abcde')),
      'HEAD',
    )
    expect(declared.header('Content-Length')).toBe('5')
    // Nothing of a body comes before the next answer.
    expect((await declared.client.request(head0, 'HEAD')).status).toBe(200)
    const streamed = await answered(head0, inPieces('abc', 'def'), 'HEAD')
    expect(streamed.header('Transfer-Encoding')).toBeUndefined()
    expect((await streamed.client.request(head0, 'HEAD')).status).toBe(200)
    expect(streamed.bench.requests[0]!.writtenBytes).toBe(6)
    expect(streamed.bench.requests[0]!.reply.bytesSent).toBe(0)
    expect(streamed.bench.requests[0]!.completed).toBe(true)
  })

  it('has neither body nor length for 204, and no body for 304', async () => {
    for (const [status, length] of [
      ['204 No Content', undefined],
      ['304 Not Modified', '5'],
    ] as const) {
      for (const script of [
        (reply: Reply) =>
          respond(reply, head('Content-Length: 5\r\nX: y\r\n', status), Buffer.from('abcde')),
        (reply: Reply) => {
          reply.start(head('Content-Length: 5\r\nX: y\r\n', status))
          data(reply, Buffer.from('abcde'))
          reply.finish()
        },
      ]) {
        const response = await answered(get('/'), script)
        expect(response.header('Content-Length')).toBe(length)
        expect(response.header('X')).toBe('y')
        expect(response.header('Transfer-Encoding')).toBeUndefined()
        expect((await response.client.request(get('/'))).status).toBe(Number(status.slice(0, 3)))
      }
    }
  })

  it('has one Date and one Server, the application’s where it gives them', async () => {
    const response = await answered(get('/'), (reply) =>
      respond(reply, head('Date: today\r\nServer: mine\r\n'), null),
    )
    expect(response.all('Date')).toEqual(['today'])
    expect(response.all('Server')).toEqual(['mine'])
    expect(response.header('Content-Length')).toBe('0')
  })

  it('keeps every byte of a body, small or large', async () => {
    const bytes = Buffer.alloc(256, 0).map((_, i) => i)
    for (const size of [256, 16_000, 17_000, 500_000]) {
      const body = Buffer.alloc(size, bytes)
      for (const script of [
        (reply: Reply) => respond(reply, head(), body),
        (reply: Reply) => {
          reply.start(head())
          data(reply, body)
          reply.finish()
        },
      ]) {
        expect((await answered(get('/'), script)).body.equals(body)).toBe(true)
      }
    }
  })

  it('says how much of the body has left', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const request = await bench.request(0)
    request.reply.start(head())
    data(request.reply, Buffer.from('abc'))
    data(request.reply, Buffer.from('defg'))
    await waitFor('the bytes', () => request.writtenBytes === 7)
    expect(request.reply.bytesSent).toBe(7)
    request.reply.finish()
    expect((await client.readResponse()).text).toBe('abcdefg')
  })
})

describe('Expect: 100-continue', () => {
  const expecting =
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n'
  const echo = (request: Recorder) => respond(request.reply, head(), Buffer.from(request.body))

  it('is answered when the body is wanted at once', async () => {
    const bench = await serve({ begin: ({ reply }) => reply.wantBody(), bodyEnd: echo })
    const client = await RawConnection.open(bench)
    expect((await client.request(expecting)).status).toBe(100)
    expect((await client.request('body')).text).toBe('body')
    expect((await client.request(get('/'))).status).toBe(200)
  })

  it('is answered when the body is wanted later, once', async () => {
    const bench = await serve({ bodyEnd: echo })
    const client = await RawConnection.open(bench)
    await client.send(expecting)
    const request = await bench.request(0)
    request.reply.wantBody()
    request.reply.wantBody()
    expect((await client.readResponse()).status).toBe(100)
    expect((await client.request('body')).text).toBe('body')
  })

  it('is not answered when the body is never wanted, and the connection then ends', async () => {
    const bench = await serve({
      begin: ({ reply }) => respond(reply, head('', '403 Forbidden'), null),
    })
    const client = await RawConnection.open(bench)
    const response = await client.request(expecting)
    expect(response.status).toBe(403)
    expect(response.header('Connection')).toBe('close')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('is not answered when the body came without waiting', async () => {
    const bench = await serve({ bodyEnd: echo })
    const client = await RawConnection.open(bench)
    expect((await client.request(`${expecting}body`)).text).toBe('body')
  })

  it('does not make a client that waits late', async () => {
    const bench = await serve({ bodyEnd: echo }, { body: 0.05 })
    const client = await RawConnection.open(bench)
    await client.send(expecting)
    const request = await bench.request(0)
    await new Promise((resolve) => setTimeout(resolve, 900))
    expect(request.completed).toBeNull()
    request.reply.wantBody()
    expect((await client.readResponse()).status).toBe(100)
    expect((await client.request('body')).text).toBe('body')
  })
})

describe('a client that has sent its end', () => {
  it('still gets the answers to what it sent', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/1') + get('/2'))
    client.halfClose()
    const first = await bench.request(0)
    await waitFor('the end to be noticed', () => first.said.includes('clientEnded'))
    respond(first.reply, head(), Buffer.from('one'))
    expect((await client.readResponse()).text).toBe('one')
    const second = await bench.request(1)
    expect(second.said).toContain('clientEnded')
    respond(second.reply, head(), Buffer.from('two'))
    const response = await client.readResponse()
    expect(response.text).toBe('two')
    expect(response.header('Connection')).toBe('close')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('within a head gets 400, with the request line in the report', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    await client.send('GET /x HTTP/1.1\r\nHo')
    client.halfClose()
    expect((await client.readResponse()).status).toBe(400)
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.refusals).toMatchObject([
      { status: 400, requestLine: 'GET /x HTTP/1.1', begun: false, gaveUp: true },
    ])
  })

  it('within a body gets 400', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    client.halfClose()
    expect((await client.readResponse()).status).toBe(400)
    expect(bench.requests[0]).toMatchObject({ completed: false, refusedWith: 400, body: 'abc' })
    expect(bench.refusals).toMatchObject([
      { begun: true, requestLine: 'POST / HTTP/1.1', gaveUp: true },
    ])
  })

  it('within a body that was paused gets 400 as soon as the rest has been taken', async () => {
    const bench = await serve({ begin: ({ reply }) => reply.pauseBody() })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    client.halfClose()
    const request = await bench.request(0)
    request.reply.resumeBody()
    expect((await client.readResponse()).status).toBe(400)
    expect(request.body).toBe('abc')
  })

  it('before it sent anything is closed without a word', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    client.halfClose()
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.refusals).toEqual([])
  })

  it('after an answer is closed without a word', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    await client.request(get('/'))
    client.halfClose()
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.refusals).toEqual([])
  })
})

describe('a refused message', () => {
  it('is answered, reported with its request line, and closes the connection', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    const response = await client.request('GET /path HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n')
    expect(response).toMatchObject({ status: 400, text: '400 Bad Request\n' })
    expect(response.header('Connection')).toBe('close')
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.requests).toEqual([])
    expect(bench.refusals).toMatchObject([
      { status: 400, requestLine: 'GET /path HTTP/1.1', begun: false, gaveUp: false },
    ])
  })

  it('is reported with what came of its request line, where that is what is wrong', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    await client.request(Buffer.from('\x16\x03\x01\0\xff\r\n', 'latin1'))
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.refusals).toMatchObject([{ status: 400, requestLine: '\x16\x03\x01\0\xff' }])
  })

  it('has no body in its answer when it was HEAD', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    await client.request('HEAD / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n', 'HEAD')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('comes after the answers to what was in order before it', async () => {
    const bench = await serve(echoTarget)
    const client = await RawConnection.open(bench)
    await client.send(`${get('/1')}GET / HTTP/2.0\r\n\r\n`)
    expect((await client.readResponse()).text).toBe('/1')
    expect((await client.readResponse()).status).toBe(505)
    expect(await client.expectEnd()).toBe('closed')
  })

  it('in the middle of a body ends the exchange', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    const response = await client.request(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n',
    )
    expect(response.status).toBe(400)
    expect(bench.requests[0]).toMatchObject({ body: 'abc', completed: false, refusedWith: 400 })
    expect(await client.expectEnd()).toBe('closed')
  })

  it('in the middle of a body is a reset when the answer had begun', async () => {
    const bench = await serve({
      begin: ({ reply }) => {
        reply.start(head())
        data(reply, Buffer.from('abc'))
      },
    })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    const request = await bench.request(0)
    await waitFor('the answer to leave', () => request.writtenBytes === 3)
    await client.send('zz\r\n')
    const response = await client.readResponse()
    expect(response.complete).toBe(false)
    expect(request.completed).toBe(false)
    expect(request.refusedWith).toBeUndefined()
  })

  it('runs nothing when the handler refuses it at once', async () => {
    const bench = await serve({
      begin: ({ reply }) => reply.refuse(405, { close: true, fields: [['Allow', 'GET']] }),
    })
    const client = await RawConnection.open(bench)
    const response = await client.request(get('/'))
    expect(response.status).toBe(405)
    expect(response.header('Allow')).toBe('GET')
    expect(response.header('Connection')).toBe('close')
    expect(bench.requests[0]!.said).toEqual(['begin', 'closed'])
  })
})

describe('timeouts', () => {
  it('cut off a head that drips', async () => {
    const bench = await serve(echoTarget, { header: 0.2 })
    const client = await RawConnection.open(bench)
    const dripping = client.drip(get('/', `X: ${'y'.repeat(500)}\r\n`), 20)
    expect((await client.readResponse()).status).toBe(408)
    expect(await client.expectEnd()).toBe('closed')
    client.close()
    await dripping
    expect(bench.requests).toEqual([])
    // How much of it has come depends on the machine.
    expect(bench.refusals).toMatchObject([
      { status: 408, requestLine: expect.stringMatching(/^GET/) },
    ])
  })

  it('close a connection that says nothing, without a word', async () => {
    const bench = await serve(echoTarget, { header: 0.1 })
    const client = await RawConnection.open(bench)
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.refusals).toEqual([])
  })

  it('close a connection that is idle after an answer', async () => {
    const bench = await serve(echoTarget, { keepAlive: 0.1 })
    const client = await RawConnection.open(bench)
    await client.request(get('/'))
    expect(await client.expectEnd()).toBe('closed')
  })

  it('do not concern a request that is being answered', async () => {
    const bench = await serve(silent, { keepAlive: 0.05, header: 0.05, body: 0.05, write: 0.05 })
    const client = await RawConnection.open(bench)
    await client.send(post('/', 'abc'))
    const request = await bench.request(0)
    await new Promise((resolve) => setTimeout(resolve, 900))
    respond(request.reply, head(), null)
    expect((await client.readResponse()).status).toBe(200)
  })

  it('cut off a body that comes too slowly', async () => {
    const bench = await serve(silent, { body: 0.2 })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
    const dripping = client.drip('x'.repeat(999), 50)
    expect((await client.readResponse()).status).toBe(408)
    client.close()
    await dripping
    expect(bench.requests[0]).toMatchObject({ completed: false, refusedWith: 408 })
  })

  it('cut off a client that waits for 100 Continue when the body is wanted behind the head of the answer', async () => {
    const bench = await serve({ begin: ({ reply }) => reply.start(head()) }, { body: 0.2 })
    const client = await RawConnection.open(bench)
    await client.send(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n',
    )
    const request = await bench.request(0)
    request.reply.wantBody()
    await waitFor('the end', () => request.completed === false)
    expect(bench.refusals).toMatchObject([{ status: 408 }])
  })

  it('sends interim responses before the answer only, and none in HTTP/1.0', async () => {
    const bench = await serve({
      bodyEnd: ({ reply }) => {
        reply.inform(103, [['Link', '</a.css>']])
        reply.inform(103, [])
        reply.start(head())
        reply.inform(103, [['Link', 'late']])
        reply.finish()
      },
    })
    const client = await RawConnection.open(bench)
    const response = await client.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect([response.status, response.header('Link')]).toEqual([103, '</a.css>'])
    expect((await client.readResponse()).status).toBe(103)
    const final = await client.readResponse()
    expect([final.status, final.body.length, final.complete]).toEqual([200, 0, true])
    const old = await client.request('GET / HTTP/1.0\r\n\r\n')
    expect(old.status).toBe(200)
  })

  it('bear with a body that makes progress', async () => {
    const bench = await serve(
      {
        bodyEnd: (request) =>
          respond(request.reply, head(), Buffer.from(String(request.body.length))),
      },
      { body: 0.2 },
    )
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n')
    await client.drip('x'.repeat(20_000), 50, 500)
    expect((await client.readResponse()).text).toBe('20000')
  })

  it('reset a client that takes nothing of its answer', async () => {
    const bench = await serve(
      {
        bodyEnd: ({ reply }) => {
          reply.start(head())
          for (let i = 0; i < 200; i++) data(reply, Buffer.alloc(100_000))
        },
      },
      { write: 0.3 },
    )
    const client = await RawConnection.open(bench)
    await client.send(get('/big'))
    const request = await bench.request(0)
    await waitFor('the end', () => request.completed === false)
    expect(bench.refusals).toMatchObject([
      { status: 408, requestLine: 'GET /big HTTP/1.1', begun: true },
    ])
  })

  it('bear with a client that takes its answer slowly', async () => {
    const size = 8_000_000
    const bench = await serve(
      { bodyEnd: ({ reply }) => respond(reply, head(), Buffer.alloc(size)) },
      { write: 0.6, keepAlive: 0 },
    )
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    await client.readResponse('GET', { bodyless: true })
    let got = 0
    // Longer than the timeout in all; each step leaves the kernel something to send.
    for (let i = 0; i < 60; i++) {
      got += (await client.readSome(100_000)).length
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    const { rest, ending } = await client.readToEnd()
    expect(got + rest.length).toBe(size)
    expect(ending).toBe('closed')
    expect(bench.refusals).toEqual([])
  })
})

describe('rates', () => {
  it('cut off a body that brings less than the lowest rate', async () => {
    const bench = await serve(silent, { body: 0.3 }, { rates: { body: 100_000, write: 0 } })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
    const dripping = client.drip('x'.repeat(20_000), 20, 200) // 10,000 a second
    expect((await client.readResponse()).status).toBe(408)
    client.close()
    await dripping
  })

  it('of 0 ask for any progress at all', async () => {
    const bench = await serve(
      {
        bodyEnd: (request) =>
          respond(request.reply, head(), Buffer.from(String(request.body.length))),
      },
      { body: 0.3 },
      { rates: { body: 0, write: 0 } },
    )
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n')
    await client.drip('x'.repeat(40), 25)
    expect((await client.readResponse()).text).toBe('40')
  })

  it('do not let a body take longer than its time limit, however fast it comes', async () => {
    const bench = await serve(silent, { body: 10, wholeBody: 0.5 })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    const dripping = client.drip('x'.repeat(10_000_000), 5, 10_000)
    expect((await client.readResponse()).status).toBe(408)
    client.close()
    await dripping
    expect(bench.refusals[0]?.reason).toBe('the request body was not complete after 0.5 s')
  })

  it('do not count the time during which the application does not read the body', async () => {
    const bench = await serve(
      {
        bodyData: ({ reply }) => reply.pauseBody(),
        bodyEnd: (request) =>
          respond(request.reply, head(), Buffer.from(String(request.body.length))),
      },
      { wholeBody: 3 },
    )
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst')
    const request = await bench.request(0)
    await waitFor('the body', () => request.body.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 4500))
    request.reply.resumeBody()
    await client.send('later')
    expect((await client.readResponse()).text).toBe('10')
  })

  it('hold for a body that is paused again and again, too', async () => {
    const bench = await serve(
      {
        bodyData: ({ reply }) => {
          reply.pauseBody()
          setTimeout(() => reply.resumeBody(), 5)
        },
      },
      { body: 0.6 },
    )
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
    const dripping = client.drip('x'.repeat(999), 50)
    expect((await client.readResponse()).status).toBe(408)
    client.close()
    await dripping
  })

  it('reset a client that takes its answer at less than the lowest rate', async () => {
    const bench = await serve(
      { bodyEnd: ({ reply }) => respond(reply, head(), Buffer.alloc(40_000_000)) },
      { write: 0.5 },
      { rates: { body: 0, write: 1_000_000_000 } },
    )
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const request = await bench.request(0)
    let got = 0
    while (request.completed === null && got < 40_000_000) {
      got += (await client.readSome(50_000)).length
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(request.completed).toBe(false)
    expect(bench.refusals[0]?.reason).toMatch(/took (nothing|only \d+ bytes) of its answer/)
  })

  it('reset a client that takes nothing although ever more is given to it', async () => {
    const bench = await serve(
      {
        bodyEnd: ({ reply }) => {
          reply.start(head())
          const timer = setInterval(() => data(reply, Buffer.alloc(200_000)), 20)
          onTestFinished(() => clearInterval(timer))
        },
      },
      { write: 0.5 },
    )
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const request = await bench.request(0)
    await waitFor('the end', () => request.completed === false)
  })
})

describe('the memory that is held for clients', () => {
  it('counts what of a head has come, and is given back with the connection', async () => {
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    const bench = await serve(echoTarget, {}, { memory })
    const client = await RawConnection.open(bench)
    await client.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(5000)}`)
    await waitFor('the head', () => memory.held >= 5000)
    expect(memory.held).toBeLessThan(20_000)
    await client.send('\r\n\r\n')
    expect((await client.readResponse()).status).toBe(200)
    await waitFor('nothing to be held', () => memory.held === 0)
    await client.send('GET /again')
    await waitFor('the head', () => memory.held > 0)
    client.reset()
    await waitFor('nothing to be held', () => memory.held === 0)
  })

  it('counts what was sent ahead, and what was not taken of an answer', async () => {
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    const bench = await serve(silent, {}, { memory })
    const client = await RawConnection.open(bench)
    await client.send(get('/1') + get('/2'))
    const request = await bench.request(0)
    await waitFor('the second request', () => memory.held === get('/2').length)
    respond(request.reply, head(), Buffer.alloc(30_000_000))
    await waitFor('the answer', () => memory.held > 10_000_000)
    expect((await client.readResponse()).body.length).toBe(30_000_000)
    respond((await bench.request(1)).reply, head(), null)
    expect((await client.readResponse()).status).toBe(200)
    await waitFor('nothing to be held', () => memory.held === 0)
  })

  it('refuses a head that begins without its end when there is none left, and answers one that comes whole', async () => {
    const memory = new MemoryBudget(1000)
    const bench = await serve(echoTarget, {}, { memory })
    memory.add(1000)
    const incomplete = await RawConnection.open(bench)
    await incomplete.send('GET / HTTP/1.1\r\nHost: a\r\n')
    const response = await incomplete.readResponse()
    expect(response.status).toBe(503)
    expect(response.header('Retry-After')).toBe('1')
    expect(await incomplete.expectEnd()).toBe('closed')
    const whole = await RawConnection.open(bench)
    expect((await whole.request(get('/'))).status).toBe(200)
    expect(bench.refusals.map(({ status }) => status)).toEqual([503])
  })

  it('lets a head that had begun before wait for space, and no longer than a head may take', async () => {
    const memory = new MemoryBudget(100_000)
    const bench = await serve(echoTarget, { header: 1 }, { memory })
    const [patient, late] = [await RawConnection.open(bench), await RawConnection.open(bench)]
    await patient.send('GET /patient HTTP/1.1\r\nHost: a\r\n')
    await late.send('GET /late HTTP/1.1\r\nHost: a\r\n')
    await waitFor('both heads', () => memory.held >= 2000)
    memory.add(100_000)
    await patient.send('X: y\r\n')
    await waitFor('the socket to be paused', () => bench.sockets[0]!.isPaused())
    await patient.send('\r\n')
    memory.add(-100_000)
    expect((await patient.readResponse()).text).toBe('/patient')
    memory.add(100_000)
    await late.send('X: y\r\n')
    expect((await late.readResponse()).status).toBe(503)
  })

  it('counts the read that a large head lies in while its exchange lasts', async () => {
    const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
    const bench = await serve(silent, {}, { memory })
    const client = await RawConnection.open(bench)
    // One that comes in several reads, and one that comes in one.
    for (const [index, count] of [9, 1].entries()) {
      await client.send(get('/', `X: ${'y'.repeat(6000)}\r\n`.repeat(count)))
      const request = await bench.request(index)
      expect(memory.held).toBeGreaterThanOrEqual(4096)
      respond(request.reply, head(), null)
      await waitFor('nothing to be held', () => memory.held === 0)
    }
  })

  it('is not told of bytes that were for the answer before', async () => {
    const bench = await serve({ bodyEnd: () => {} })
    const client = await RawConnection.open(bench)
    await client.send(get('/1') + get('/2'))
    const first = await bench.request(0)
    first.reply.start(head('Content-Length: 20000000\r\n'))
    data(first.reply, Buffer.alloc(20_000_000))
    first.reply.finish()
    expect((await client.readResponse()).body.length).toBe(20_000_000)
    const second = await bench.request(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(second.writtenBytes).toBe(0)
    respond(second.reply, head(), null)
  })

  it('of a body in chunks of one byte has a piece for each read, not for each chunk', async () => {
    let pieces = 0
    const bench = await serve({
      begin: ({ reply }) => reply.wantBody(),
      bodyData: () => pieces++,
      bodyEnd: (request) =>
        respond(request.reply, head(), Buffer.from(String(request.body.length))),
    })
    const client = await RawConnection.open(bench)
    const chunks = '1\r\nx\r\n'.repeat(20_000)
    await client.send(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    )
    expect((await client.readResponse()).text).toBe('20000')
    expect(pieces).toBeLessThan(500)
  })
})

describe('the end of a connection', () => {
  it('comes after an answer when keep-alive is off', async () => {
    const bench = await serve(echoTarget, { keepAlive: 0 })
    const client = await RawConnection.open(bench)
    const response = await client.request(get('/'))
    expect(response.header('Connection')).toBe('close')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('does not take the answer from a client that is still sending', async () => {
    const bench = await serve({ begin: ({ reply }) => reply.refuse(413, { close: true }) })
    const client = await RawConnection.open(bench)
    const length = 20_000_000
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`)
    // All of it is sent before the client looks for an answer.
    await client.send(Buffer.alloc(length))
    expect((await client.readResponse()).status).toBe(413)
    expect(await client.expectEnd()).toBe('closed')
    expect(bench.requests[0]!.body).toBe('')
  })

  it('comes at once for an idle one when the server stops, and after the answer for another', async () => {
    const bench = await serve(silent)
    const idle = await RawConnection.open(bench)
    const busy = await RawConnection.open(bench)
    await busy.send(get('/busy'))
    const request = await bench.request(0)
    bench.context.stopping = true
    for (const connection of bench.connections) connection.closeWhenIdle()
    expect(await idle.expectEnd()).toBe('closed')
    respond(request.reply, head(), Buffer.from('done'))
    const response = await busy.readResponse()
    expect(response.text).toBe('done')
    expect(response.header('Connection')).toBe('close')
    expect(await busy.expectEnd()).toBe('closed')
  })

  it('comes after an answer whose head went out before the server stopped', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const { reply } = await bench.request(0)
    reply.start(head('Content-Length: 6\r\n'))
    data(reply, Buffer.from('abc'))
    bench.context.stopping = true
    for (const connection of bench.connections) connection.closeWhenIdle()
    data(reply, Buffer.from('def'))
    reply.finish()
    expect((await client.readResponse()).text).toBe('abcdef')
    expect(await client.expectEnd()).toBe('closed')
  })

  it('is told to the current exchange when the client vanishes', async () => {
    const bench = await serve(silent)
    const client = await RawConnection.open(bench)
    await client.send(get('/'))
    const request = await bench.request(0)
    client.reset()
    await waitFor('the end', () => request.completed === false)
    await waitFor('the end of the connection', () => bench.closed === 1)
  })
})

describe('a client of a unix socket', () => {
  it('that is to be reset is closed, where the server would not survive asking for a reset', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'monoceros-connection-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const requests: Recorder[] = []
    const script: Script = {
      bodyEnd: ({ reply }) => {
        reply.start(head())
        data(reply, Buffer.from('abc'))
        reply.abort()
      },
    }
    let closed = false
    const context = makeContext(script, {}, requests, [], () => {
      closed = true
    })
    const server = createServer({ allowHalfOpen: true })
    const socketPath = join(directory, 's')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    acceptSockets(server, (socket) => new H1Connection(socket, context))
    onTestFinished(() => void server.close())
    const client = await RawConnection.open({ socketPath, port: 0, host: '' })
    await client.send(get('/', '', '1.0'))
    await client.readToEnd()
    await waitFor('the end', () => closed)
    expect(requests[0]!.completed).toBe(false)
    expect(requests[0]!.reply.peer).toMatchObject({
      remoteAddress: '',
      remotePort: 0,
      localAddress: '',
    })
  })
})

/** Longer than the end of a client is waited for: 5 s, or 1 s if the server stops. */
const LINGERED_MS = 6000
const LINGERED_STOPPING_MS = 2000

/** A socket whose other side takes what is written when the test says so. */
class HeldSocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly taken: string[] = []
  readonly #held: (() => void)[] = []

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken.push(chunk.toString('latin1'))
    this.#held.push(done)
  }
  release(): void {
    while (this.#held.length > 0) this.#held.shift()!()
  }
  destroySoon(): void {
    this.end()
  }
}

describe('an answer that has not all left', () => {
  it('is the only one: no body and no end of it reach the handler any more', async () => {
    const requests: Recorder[] = []
    const refuse: Script = {
      begin: ({ path, reply }) => {
        if (path === '/refused') reply.refuse(405, { close: true })
      },
      bodyData: ({ reply }) => reply.refuse(413, { close: true }),
      bodyEnd: ({ path, reply }) => {
        if (path !== '/refused') respond(reply, head(), Buffer.alloc(16_250, 'x'))
      },
    }
    for (const second of [get('/refused'), post('/body', 'a') + post('/body', 'b')]) {
      requests.length = 0
      const socket = new HeldSocket()
      const context = makeContext(refuse, {}, requests, [], () => {})
      const connection = new H1Connection(socket as unknown as Socket, context)
      socket.on('data', (chunk: Buffer) =>
        connection.received(new Span().set(chunk, 0, chunk.length)),
      )
      // The first answer leaves so little space that the second waits for the client.
      socket.push(Buffer.from(get('/1') + second))
      await waitFor('both requests', () => requests.length === 2)
      expect(requests[0]!.completed).toBe(true)
      expect(requests[1]!.completed).toBeNull()
      socket.push(Buffer.from('more'))
      await new Promise((resolve) => setImmediate(resolve))
      expect(requests[1]!.ended).toBe(false)
      while (requests[1]!.completed === null) {
        socket.release()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(requests[1]!.said).toEqual(['begin', 'closed'])
      expect(requests.length).toBe(2)
      expect(socket.taken.join('').match(/HTTP\/1\.1 4/g)).toHaveLength(1)
      connection.destroy()
    }
  })

  it('is not cut off, however slowly its client reads', async () => {
    const requests: Recorder[] = []
    const refusals: Refusal[] = []
    const socket = new HeldSocket()
    const script: Script = { bodyEnd: ({ reply }) => respond(reply, head(), Buffer.from('answer')) }
    const context = makeContext(script, { keepAlive: 0 }, requests, refusals, () => {})
    const connection = new H1Connection(socket as unknown as Socket, context)
    socket.on('data', (chunk: Buffer) =>
      connection.received(new Span().set(chunk, 0, chunk.length)),
    )
    socket.push(Buffer.from(get('/')))
    await waitFor('the answer', () => requests[0]?.completed === true)
    // The client did not end its side in time, and it has not taken the answer yet.
    const late = () => context.deadlines.now + LINGERED_MS
    connection.checkDeadlines(late())
    expect(socket.destroyed).toBe(false)
    // It has that time again, and no more.
    socket.release()
    await waitFor('all to be taken', () => socket.writableLength === 0)
    connection.checkDeadlines(late())
    expect(socket.destroyed).toBe(true)
    expect(refusals).toEqual([])
  })

  it('is waited for less long when the server stops', async () => {
    const requests: Recorder[] = []
    const socket = new HeldSocket()
    const script: Script = { bodyEnd: ({ reply }) => respond(reply, head(), Buffer.from('answer')) }
    const context = makeContext(script, { keepAlive: 0 }, requests, [], () => {})
    const connection = new H1Connection(socket as unknown as Socket, context)
    socket.on('data', (chunk: Buffer) =>
      connection.received(new Span().set(chunk, 0, chunk.length)),
    )
    socket.push(Buffer.from(get('/')))
    await waitFor('the answer', () => requests[0]?.completed === true)
    socket.release()
    await waitFor('all to be taken', () => socket.writableLength === 0)
    const soon = () => context.deadlines.now + LINGERED_STOPPING_MS
    connection.checkDeadlines(soon())
    expect(socket.destroyed).toBe(false)
    context.stopping = true
    connection.closeWhenIdle()
    connection.checkDeadlines(soon())
    expect(socket.destroyed).toBe(true)
  })

  it('is cut off when its client takes nothing for the write timeout', async () => {
    const requests: Recorder[] = []
    const refusals: Refusal[] = []
    const socket = new HeldSocket()
    const script: Script = { bodyEnd: ({ reply }) => respond(reply, head(), Buffer.from('answer')) }
    const context = makeContext(script, { keepAlive: 0, write: 0.1 }, requests, refusals, () => {})
    const connection = new H1Connection(socket as unknown as Socket, context)
    socket.on('data', (chunk: Buffer) =>
      connection.received(new Span().set(chunk, 0, chunk.length)),
    )
    socket.push(Buffer.from(get('/')))
    await waitFor('the end', () => socket.destroyed)
    expect(refusals).toMatchObject([{ status: 408 }])
  })
})
