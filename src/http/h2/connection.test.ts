import { once } from 'node:events'
import { type ClientHttp2Session, type ClientSessionOptions, connect, constants } from 'node:http2'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { http2Answer, http2Get, http2Post } from '../../../tests/support/http2-client.ts'
import { RawConnection } from '../../../tests/support/raw-client.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { Span } from '../../bytes/span.ts'
import { HOP_BY_HOP } from '../../semantics/hop-by-hop.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import type { Reply, RequestSink } from '../exchange.ts'
import { h1 } from '../h1/protocol.ts'
import { HttpServer, type HttpServerOptions } from '../http-server.ts'
import { DEFAULT_HEAD_LIMITS } from '../limits.ts'
import type { Refusal } from '../refusal.ts'
import type { RequestHead } from '../request-head.ts'
import { responseHead } from '../response-head.ts'
import { byPreface } from './by-preface.ts'
import { DEFAULT_HTTP2_OPTIONS, type Http2Options } from './options.ts'
import { h2 } from './protocol.ts'

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL } = constants

/** One request as the handler saw it, and everything that was said of it since. */
class Recorder implements RequestSink {
  readonly head: RequestHead
  readonly reply: Reply
  readonly said: string[] = []
  body = Buffer.alloc(0)
  writtenBytes = 0
  ended = false
  completed: boolean | null = null
  refusedWith: number | undefined

  constructor(head: RequestHead, reply: Reply) {
    this.head = head
    this.reply = reply
  }

  begin(): void {
    this.said.push('begin')
  }

  bodyData(chunk: Buffer): void {
    this.body = Buffer.concat([this.body, chunk])
  }

  bodyEnd(): void {
    this.said.push('bodyEnd')
    this.ended = true
    const { target } = this.head
    if (target === '/echo') answer(this.reply, this.body)
    else if (target === '/hello') answer(this.reply, Buffer.from('hello'))
  }

  clientEnded(): void {
    this.said.push('clientEnded')
  }

  written(bytes: number): void {
    this.writtenBytes += bytes
  }

  closed(completed: boolean, refusedWith?: number): void {
    if (this.completed !== null) throw new Error('closed twice')
    this.said.push('closed')
    this.completed = completed
    this.refusedWith = refusedWith
  }
}

const SCRIBBLE = 0x23

/** Memory that is used for something else as soon as it is not needed any more. */
function lend(chunk: Buffer): Span {
  const bytes = Buffer.alloc(chunk.length + 20, SCRIBBLE)
  chunk.copy(bytes, 10)
  return new Span().lend(bytes, 10, 10 + chunk.length, 0)
}

function answer(reply: Reply, body: Buffer, status = 200): void {
  const span = lend(body)
  const head = responseHead(status, [['Content-Type', 'text/plain']])
  if (!reply.respond(head, span)) span.bytes.fill(SCRIBBLE)
}

function data(reply: Reply, chunk: Buffer): void {
  const span = lend(chunk)
  if (!reply.data(span)) span.bytes.fill(SCRIBBLE)
}

function until(condition: () => boolean): Promise<unknown> {
  return waitFor(String(condition), condition)
}

/** A frame in hexadecimal; `payload` is, too. */
function frame(type: string, flags: string, stream: number, payload: string): string {
  const length = (payload.length / 2).toString(16).padStart(6, '0')
  return `${length}${type}${flags}${stream.toString(16).padStart(8, '0')}${payload}`
}

interface Bench {
  readonly port: number
  readonly server: HttpServer
  readonly requests: Recorder[]
  readonly refusals: Refusal[]
  readonly memory: MemoryBudget
  /** The request with that target, when it is there. */
  request(target: string): Promise<Recorder>
}

async function serve(
  options: Partial<HttpServerOptions> = {},
  http2: Partial<Http2Options> = {},
): Promise<Bench> {
  const requests: Recorder[] = []
  const refusals: Refusal[] = []
  const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
  const server = new HttpServer({
    protocol: byPreface(h2({ ...DEFAULT_HTTP2_OPTIONS, ...http2 }), h1),
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 30, body: 30, keepAlive: 30, write: 30, wholeBody: 0 },
    rates: { body: 0, write: 0 },
    memory,
    serverName: 'test',
    handler: (head, reply) => {
      const recorder = new Recorder(head, reply)
      requests.push(recorder)
      return recorder
    },
    maxConnections: 0,
    refused: (refusal) => refusals.push(refusal),
    turnsAway: () => {},
    ...options,
  })
  const listening = await server.listen({ port: 0, host: '127.0.0.1' }, () => {})
  onTestFinished(() => server.stop(0))
  const { port } = listening.address() as AddressInfo
  const request = async (target: string) => {
    const found = () => requests.find(({ head }) => head.target === target)
    await until(() => found() !== undefined)
    return found()!
  }
  return { port, server, requests, refusals, memory: options.memory ?? memory, request }
}

function client(bench: Bench, options: ClientSessionOptions = {}): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${bench.port}`, options)
  session.on('error', () => {})
  onTestFinished(() => session.destroy())
  return session
}

describe('HTTP/2 on a connection', () => {
  it('is chosen by its preface, in any pieces, beside HTTP/1.1', async () => {
    const bench = await serve()
    const { headers, body, ended } = await http2Get(client(bench), '/hello')
    expect(headers).toMatchObject({
      ':status': 200,
      'content-type': 'text/plain',
      'content-length': '5',
      server: 'test',
      date: expect.stringContaining('GMT'),
    })
    expect(body.toString()).toBe('hello')
    expect(ended).toBe(true)
    const raw = await RawConnection.open(bench)
    const response = await raw.request('GET /hello HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(response.text).toBe('hello')

    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = 0
    socket.on('data', (chunk) => (got += chunk.length))
    for (const byte of Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
      await new Promise((resolve) => socket.write(Buffer.of(byte), () => setImmediate(resolve)))
    socket.write(Buffer.from('000000040000000000', 'hex'))
    await until(() => got > 9)
  })

  it('gives requests to the handler side by side', async () => {
    const bench = await serve()
    const session = client(bench)
    const held = http2Get(session, '/held')
    const { head, reply } = await bench.request('/held')
    expect(head.protocol).toBe('HTTP/2.0')
    expect(head.requestLine()).toBe('GET /held HTTP/2.0')
    expect(reply.peer.remoteAddress).toBe('127.0.0.1')
    expect((await http2Get(session, '/hello')).body.toString()).toBe('hello')
    expect((await http2Post(session, '/echo', Buffer.alloc(300_000, 'e'))).body.length).toBe(
      300_000,
    )
    answer(reply, Buffer.from('late'))
    expect((await held).body.toString()).toBe('late')
    await until(() => bench.requests.every(({ completed }) => completed === true))
    expect(bench.requests[0]!.said).toEqual(['begin', 'bodyEnd', 'closed'])
    expect(bench.memory.held).toBe(0)
  })

  it('answers HEAD, 204 and 304 without a body', async () => {
    const bench = await serve()
    const session = client(bench)
    const head = await http2Get(session, '/hello', { ':method': 'HEAD' })
    expect(head).toMatchObject({ body: Buffer.alloc(0), ended: true })
    expect(head.headers['content-length']).toBe('5')
    for (const status of [204, 304]) {
      const path = `/${status}`
      const got = http2Get(session, path)
      const { reply } = await bench.request(path)
      reply.start(responseHead(status, [['ETag', '"a"']]))
      data(reply, Buffer.from('dropped'))
      reply.finish()
      expect(await got).toMatchObject({ headers: { ':status': status, etag: '"a"' }, ended: true })
    }
    await until(() => bench.requests.every(({ completed }) => completed === true))
  })

  it('sends fields that occur several times, whatever they are', async () => {
    const bench = await serve()
    const got = http2Get(client(bench), '/fields')
    const { reply } = await bench.request('/fields')
    const fields: [string, string][] = [
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['Content-Language', 'de'],
      ['content-language', 'en'],
      ['X-Latin', 'caf\xe9'],
      ['Date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ]
    reply.respond(responseHead(200, fields), new Span())
    const { headers } = await got
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(headers['content-language']).toBe('de, en')
    expect(headers['x-latin']).toBe('caf\xe9')
    expect(headers.date).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
  })

  it('sends every name twice, also those of which Node.js takes one field', async () => {
    const bench = await serve()
    const session = client(bench)
    const names = Object.entries(constants)
      .filter(([key, name]) => key.startsWith('HTTP2_HEADER_') && !String(name).startsWith(':'))
      .map(([, name]) => String(name))
      .filter((name) => !HOP_BY_HOP.has(name) && name !== 'content-length')
    expect(names).toContain('http2-settings')
    for (const name of names) {
      const got = http2Get(session, `/${name}`)
      const { reply } = await bench.request(`/${name}`)
      const fields: [string, string][] = [
        [name, 'a'],
        [name, 'b'],
      ]
      reply.inform(103, fields)
      reply.respond(responseHead(200, fields), new Span())
      const { headers } = await got
      expect(headers[':status'], name).toBe(200)
      expect(String(headers[name]), name).toMatch(
        name === 'http2-settings' ? /^undefined$/ : /^a[,;] ?b$/,
      )
    }
    expect(bench.refusals).toEqual([])
  })

  it('sends a status that HTTP does not have as 500, and 205 without content', async () => {
    const bench = await serve()
    const session = client(bench)
    const ask = async (status: number, whole: boolean) => {
      const path = `/${status}/${whole}`
      const got = http2Get(session, path)
      const { reply } = await bench.request(path)
      if (whole) answer(reply, Buffer.from('content'), status)
      else {
        reply.start(responseHead(status, [['Content-Length', '7']], 7))
        data(reply, Buffer.from('content'))
        reply.finish()
      }
      const { headers, body } = await got
      return [headers[':status'], headers['content-length'], body.toString()]
    }
    for (const whole of [true, false]) {
      expect(await ask(600, whole)).toEqual([500, '7', 'content'])
      expect(await ask(999, whole)).toEqual([500, '7', 'content'])
      expect(await ask(205, whole)).toEqual([205, '0', ''])
    }
  })

  it('sends a large head, and resets the stream of one that it cannot send', async () => {
    const bench = await serve()
    const session = client(bench, { settings: { maxHeaderListSize: 1024 * 1024 } })
    const large = http2Get(session, '/large')
    const fields = Array.from({ length: 60 }, (_, i) => [`X-${i}`, 'x'.repeat(2000)] as const)
    ;(await bench.request('/large')).reply.respond(responseHead(200, fields), new Span())
    expect((await large).headers['x-59']).toBe('x'.repeat(2000))
    const bad = http2Get(session, '/bad')
    const { reply } = await bench.request('/bad')
    reply.inform(103, [['no token', 'a']])
    reply.respond(responseHead(200, [['no token', 'a']]), new Span())
    expect(await bad).toMatchObject({ code: NGHTTP2_INTERNAL_ERROR })
    expect(bench.refusals.map(({ status, reason }) => [status, reason])).toEqual([
      [500, expect.stringMatching(/^early hints cannot be sent over HTTP\/2: /)],
      [500, expect.stringMatching(/^the response cannot be sent over HTTP\/2: /)],
    ])
    expect((await http2Get(session, '/hello')).body.toString()).toBe('hello')
  })

  it('sends interim responses, and 100 Continue only when the body is wanted', async () => {
    const bench = await serve()
    const session = client(bench)
    const stream = session.request({ ':path': '/echo', ':method': 'POST', expect: '100-continue' })
    const interim: unknown[] = []
    stream.on('headers', (fields) => interim.push(fields[':status'], fields.link))
    const got = http2Answer(stream)
    const { reply, head } = await bench.request('/echo')
    expect(head.expectContinue).toBe(true)
    reply.inform(103, [['Link', '</a.css>; rel=preload']])
    reply.wantBody()
    reply.wantBody()
    await until(() => interim.length === 4)
    expect(interim).toEqual([103, '</a.css>; rel=preload', 100, undefined])
    stream.end('body')
    expect((await got).body.toString()).toBe('body')
    reply.inform(103, []) // too late, and does nothing
  })

  it('refuses a bad request with its status, and goes on', async () => {
    const bench = await serve()
    const session = client(bench)
    const refused = await http2Get(session, '/hello', {
      ':authority': 'a.example',
      host: 'b.example',
    })
    expect(refused.headers[':status']).toBe(400)
    expect(refused.body.toString()).toBe('400 Bad Request\n')
    expect((await http2Get(session, '/hello', { expect: 'tea' })).headers[':status']).toBe(417)
    expect((await http2Get(session, `/${'a'.repeat(5000)}`)).headers[':status']).toBe(414)
    expect((await http2Get(session, '/hello')).headers[':status']).toBe(200)
    expect(bench.refusals.map(({ status, begun }) => [status, begun])).toEqual([
      [400, false],
      [417, false],
      [414, false],
    ])
    expect(bench.refusals[0]!.requestLine).toBe('GET /hello HTTP/2.0')
    expect(bench.requests.length).toBe(1)
  })
})

describe('a response over HTTP/2', () => {
  it('that breaks off or is too short is reset, after what was sent', async () => {
    const bench = await serve()
    const session = client(bench)
    for (const path of ['/abort', '/short', '/open']) {
      const got = http2Get(session, path)
      const { reply } = await bench.request(path)
      reply.start(responseHead(200, [], path === '/short' ? 10 : -1), lend(Buffer.from('part')))
      if (path === '/abort') reply.abort()
      else if (path === '/short') reply.finish()
      else {
        data(reply, Buffer.alloc(50_000, 'x'))
        reply.abort()
      }
      const { body, ended, code } = await got
      expect(body.subarray(0, 4).toString()).toBe('part')
      expect(body.length).toBe(path === '/open' ? 50_004 : 4)
      expect(ended).toBe(false)
      expect(code).toBe(NGHTTP2_INTERNAL_ERROR)
    }
    expect((await http2Get(session, '/hello')).ended).toBe(true)
    await until(() => bench.requests.every(({ completed }) => completed !== null))
    expect(bench.requests.map(({ completed }) => completed)).toEqual([false, false, false, true])
  })

  it('is cut off at its declared length', async () => {
    const bench = await serve()
    const got = http2Get(client(bench), '/long')
    const request = await bench.request('/long')
    request.reply.start(responseHead(200, [['Content-Length', '6']], 6))
    data(request.reply, Buffer.from('four'))
    data(request.reply, Buffer.from('more'))
    request.reply.finish()
    const { body, ended } = await got
    expect(body.toString()).toBe('fourmo')
    expect(ended).toBe(true)
    await until(() => request.completed === true)
    expect(request.reply.bytesSent).toBe(6)
  })

  it('waits for the window of its stream, counted, while others go on', async () => {
    const bench = await serve()
    const session = client(bench)
    const stream = session.request({ ':path': '/large' })
    stream.on('error', () => {})
    stream.pause()
    const request = await bench.request('/large')
    request.reply.start(responseHead(200, []))
    const chunk = Buffer.alloc(100_000, 'l')
    for (let i = 0; i < 10; i++) data(request.reply, chunk)
    request.reply.finish()
    await until(() => request.writtenBytes >= 16_384)
    // Ten answers while the large one waits.
    for (let i = 0; i < 10; i++) expect((await http2Get(session, '/hello')).ended).toBe(true)
    expect(request.writtenBytes).toBeLessThan(200_000)
    expect(bench.memory.held).toBeGreaterThan(800_000)
    const rest = http2Answer(stream)
    stream.resume()
    const { body, ended } = await rest
    expect(body.length).toBe(1_000_000)
    expect(body.equals(Buffer.alloc(1_000_000, 'l'))).toBe(true)
    expect(ended).toBe(true)
    await until(() => request.completed === true)
    expect(request.reply.taken).toBe(1_000_000)
    expect(bench.memory.held).toBe(0)
  })

  it('that its client does not take is reset at the write timeout, and the others are not', async () => {
    const timeouts = { header: 30, body: 30, keepAlive: 30, write: 0.3, wholeBody: 0 }
    const bench = await serve({ timeouts })
    const session = client(bench)
    const stream = session.request({ ':path': '/large' })
    stream.on('error', () => {})
    stream.pause()
    const closed = new Promise((resolve) => stream.on('close', resolve))
    const request = await bench.request('/large')
    request.reply.start(responseHead(200, []))
    data(request.reply, Buffer.alloc(1_000_000))
    await until(() => request.completed !== null)
    expect(request.completed).toBe(false)
    expect(bench.memory.held).toBe(0)
    expect(bench.refusals[0]).toMatchObject({
      status: 408,
      reason: expect.stringContaining('of its answer within the write timeout (0.3 s)'),
    })
    await closed
    expect((await http2Get(session, '/hello')).ended).toBe(true)
  })

  /** A client that opens the windows of its streams by so many bytes, ten times a second. */
  async function slowReader(bench: Bench, bytes: number, ofSecond = 0) {
    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = 0
    socket.on('data', (chunk) => (got += chunk.length))
    socket.on('error', () => {})
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const head = '828684410161'
    const begin =
      frame('04', '00', 0, '') +
      frame('08', '00', 0, '7fff0000') +
      frame('01', '05', 1, head) +
      (ofSecond > 0 ? frame('01', '05', 3, head) : '')
    socket.write(Buffer.from(begin, 'hex'))
    const more = (stream: number, by: number) =>
      by > 0 ? frame('08', '00', stream, by.toString(16).padStart(8, '0')) : ''
    const windows = setInterval(() => {
      socket.write(Buffer.from(more(1, bytes) + more(3, ofSecond), 'hex'))
    }, 100)
    onTestFinished(() => clearInterval(windows))
    const count = ofSecond > 0 ? 2 : 1
    await until(() => bench.requests.length === count)
    for (const { reply } of bench.requests) {
      reply.start(responseHead(200, []))
      data(reply, Buffer.alloc(1_000_000))
    }
    return () => got
  }

  const slow = { header: 30, body: 30, keepAlive: 30, write: 1, wholeBody: 0 }

  it('goes on while its client takes parts of a step within the write timeout', async () => {
    const bench = await serve({ timeouts: slow })
    // The second step is of 64 KiB, of which a quarter is left after the first window.
    const got = await slowReader(bench, 450)
    await until(() => bench.requests[0]!.reply.taken >= 80 * 1024)
    expect(got()).toBeGreaterThan(80 * 1024)
    expect(bench.refusals).toEqual([])
  })

  it('does not go on for what other streams take', async () => {
    const bench = await serve({ timeouts: slow })
    await slowReader(bench, 0, 40_000)
    await until(() => bench.requests[0]!.completed !== null)
    expect(bench.requests[1]!.completed).toBeNull()
    expect(bench.refusals).toMatchObject([
      { status: 408, reason: expect.stringContaining('within the write timeout (1 s)') },
    ])
    await until(() => bench.requests[1]!.reply.taken === 1_000_000)
  })

  it('is reset if the streams of a connection are below the rate together', async () => {
    const rates = { body: 0, write: 50_000 }
    const bench = await serve({ timeouts: slow, rates })
    // A fifth of the rate: a busy machine looks late, and by then more has been taken.
    await slowReader(bench, 500, 500)
    await until(() => bench.requests.every(({ completed }) => completed === false))
    expect(bench.refusals.map(({ status }) => status)).toEqual([408, 408])
    expect(bench.refusals[0]!.reason).toMatch(/took only \d+ bytes of its answer within/)
    expect(bench.server.connections).toBe(1)
  })

  it('is given up when its client resets the stream', async () => {
    const bench = await serve()
    const session = client(bench)
    const stream = session.request({ ':path': '/held' })
    stream.on('error', () => {})
    const request = await bench.request('/held')
    stream.close(NGHTTP2_CANCEL)
    await until(() => request.completed !== null)
    expect(request.completed).toBe(false)
    request.reply.start(responseHead(200, []), lend(Buffer.from('nobody')))
    data(request.reply, Buffer.from('wants'))
    request.reply.finish()
    request.reply.abort()
    expect((await http2Get(session, '/hello')).ended).toBe(true)
    expect(bench.memory.held).toBe(0)
  })

  it('before the end of the request tells the client to stop sending', async () => {
    const bench = await serve()
    const session = client(bench)
    const stream = session.request({ ':path': '/early', ':method': 'POST' })
    stream.write('part of it')
    const got = http2Answer(stream)
    const { reply } = await bench.request('/early')
    answer(reply, Buffer.from('enough'))
    expect(await got).toMatchObject({ body: Buffer.from('enough'), code: NGHTTP2_NO_ERROR })
    await until(() => bench.requests[0]!.completed !== null)
    expect(bench.requests[0]!.completed).toBe(true)
  })
})

describe('a request body over HTTP/2', () => {
  it('is not taken while it is paused: its window stays closed', async () => {
    const bench = await serve()
    const session = client(bench)
    const stream = session.request({ ':path': '/echo', ':method': 'POST' })
    const got = http2Answer(stream)
    const request = await bench.request('/echo')
    request.reply.pauseBody()
    const body = Buffer.alloc(500_000, 'b')
    stream.end(body)
    await until(() => bench.memory.held >= 65_535)
    // The other streams have windows of their own.
    expect((await http2Post(session, '/echo', body)).body.length).toBe(500_000)
    expect(request.body.length).toBe(0)
    expect(bench.memory.held).toBeLessThanOrEqual(65_535 * 2)
    request.reply.resumeBody()
    expect((await got).body.equals(body)).toBe(true)
    await until(() => bench.memory.held === 0)
  })

  it('that is too slow is answered 408, and the connection goes on', async () => {
    const timeouts = { header: 30, body: 0.3, keepAlive: 30, write: 30, wholeBody: 0 }
    const bench = await serve({ timeouts })
    const session = client(bench)
    const stream = session.request({ ':path': '/echo', ':method': 'POST' })
    stream.write('some')
    expect((await http2Answer(stream)).headers[':status']).toBe(408)
    const request = await bench.request('/echo')
    await until(() => request.completed !== null)
    expect(request.refusedWith).toBe(408)
    expect(request.ended).toBe(false)
    expect((await http2Get(session, '/hello')).ended).toBe(true)
  })

  it('is not complete when the client resets its stream', async () => {
    const bench = await serve()
    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.resume()
    // POST, http, / and :authority: a.
    const block = '838684410161'
    const bytes =
      frame('04', '00', 0, '') +
      frame('01', '04', 1, block) +
      frame('00', '00', 1, '68616c66') +
      frame('03', '00', 1, '00000000') // RST_STREAM with NO_ERROR
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(Buffer.from(bytes, 'hex'))
    const request = await bench.request('/')
    await until(() => request.completed !== null)
    expect(request.body.toString()).toBe('half')
    expect(request.ended).toBe(false)
    expect(request.completed).toBe(false)
  })
})

describe('the end of an HTTP/2 connection', () => {
  it('comes with GOAWAY when it is idle too long', async () => {
    const timeouts = { header: 30, body: 30, keepAlive: 0.3, write: 30, wholeBody: 0 }
    const bench = await serve({ timeouts })
    const session = client(bench)
    const goaways: number[] = []
    session.on('goaway', (_code, last) => goaways.push(last))
    const closed = once(session, 'close')
    await http2Get(session, '/hello')
    await closed
    expect(new Set(goaways)).toEqual(new Set([1]))
    await until(() => bench.server.connections === 0)
  })

  it('comes when nothing was ever sent, or half a preface', async () => {
    const timeouts = { header: 0.3, body: 30, keepAlive: 30, write: 30, wholeBody: 0 }
    const bench = await serve({ timeouts })
    const closed = once(client(bench), 'close')
    const socket = connectSocket(bench.port, '127.0.0.1')
    socket.write('PRI * HTTP')
    socket.resume()
    await Promise.all([closed, once(socket, 'close')])
    await until(() => bench.server.connections === 0)
  })

  it('loses no request when the server stops: two GOAWAYs with a PING between them', async () => {
    const bench = await serve()
    const session = client(bench)
    const goaways: number[] = []
    session.on('goaway', (_code, last) => goaways.push(last))
    const held = http2Get(session, '/held')
    const { reply } = await bench.request('/held')
    const stopped = bench.server.stop(5000)
    // Sent before the client can know.
    const late = http2Get(session, '/hello')
    expect((await late).body.toString()).toBe('hello')
    await until(() => goaways.length === 2)
    expect(goaways).toEqual([2 ** 31 - 1, 3])
    answer(reply, Buffer.from('in time'))
    expect((await held).body.toString()).toBe('in time')
    await stopped
    expect(bench.server.connections).toBe(0)
    expect(bench.requests.map(({ completed }) => completed)).toEqual([true, true])
  })

  it('waits for what a client sends before it has seen that the server stops', async () => {
    const bench = await serve()
    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = ''
    socket.on('data', (chunk) => (got += chunk.toString('hex')))
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(Buffer.from(frame('04', '00', 0, '') + frame('04', '01', 0, ''), 'hex'))
    await until(() => bench.server.connections === 1 && got !== '')
    const stopped = bench.server.stop(5000)
    const notice = '0000080700000000007fffffff00000000'
    await until(() => got.includes(notice))
    socket.write(Buffer.from(frame('01', '05', 1, '828684410161'), 'hex'))
    const { reply } = await bench.request('/')
    answer(reply, Buffer.from('late'))
    await until(() => got.includes(Buffer.from('late').toString('hex')))
    // The PING was not answered: the last GOAWAY comes in time all the same.
    await until(() => got.includes('0000080700000000000000000100000000'))
    socket.end()
    await stopped
  })

  it('comes at once when an idle connection makes place for another', async () => {
    const bench = await serve({ maxConnections: 1 })
    const first = client(bench)
    await http2Get(first, '/hello')
    const closed = once(first, 'close')
    expect((await http2Get(client(bench), '/hello')).ended).toBe(true)
    await closed
  })

  it('is told to the exchanges when the client vanishes', async () => {
    const bench = await serve()
    const session = client(bench)
    session.request({ ':path': '/held' }).on('error', () => {})
    const request = await bench.request('/held')
    session.destroy()
    await until(() => request.said.includes('clientEnded'))
    request.reply.abort(true)
    await until(() => request.completed !== null)
    await until(() => bench.server.connections === 0)
  })

  it('is a reset if the client does not read, whatever its windows are', async () => {
    const timeouts = { header: 30, body: 30, keepAlive: 30, write: 0.5, wholeBody: 0 }
    const bench = await serve({ timeouts, maxConnections: 2 })
    const socket = connectSocket(bench.port, '127.0.0.1').pause()
    onTestFinished(() => void socket.destroy())
    const bytes =
      frame('04', '00', 0, '00047fffffff') + // SETTINGS_INITIAL_WINDOW_SIZE
      frame('08', '00', 0, '7fff0000') +
      frame('01', '05', 1, '828684410161')
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(Buffer.from(bytes, 'hex'))
    const request = await bench.request('/')
    request.reply.start(responseHead(200, []))
    for (let i = 0; i < 16; i++) data(request.reply, Buffer.alloc(1024 * 1024))
    await until(() => bench.server.connections === 0)
    expect(request.completed).toBe(false)
    expect(bench.memory.held).toBe(0)
    expect(bench.refusals[0]).toMatchObject({ status: 408 })
    // It is not taken for one that is idle: those that are idle make place.
    for (let n = 0; n < 5; n++) {
      expect((await http2Get(client(bench), '/hello')).body.toString(), `client ${n}`).toBe('hello')
      await until(() => bench.server.connections <= 2)
    }
  })
})

describe('a rule that an HTTP/2 client breaks', () => {
  const request = '828684410161'
  it.each([
    ['a stream that depends on itself', frame('02', '00', 1, '0000000110')],
    ['DATA after the end of a stream', frame('00', '00', 1, '00')],
    ['a table of HPACK that is too large', frame('01', '05', 3, `3fe1ff3f${request}`)],
  ])('ends its connection, with what is under way there: %s', async (_, broken) => {
    const bench = await serve()
    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = ''
    socket.on('data', (chunk) => (got += chunk.toString('hex')))
    socket.on('error', () => {})
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const bytes = frame('04', '00', 0, '') + frame('01', '05', 1, request)
    socket.write(Buffer.from(bytes, 'hex'))
    const held = await bench.request('/')
    socket.write(Buffer.from(broken, 'hex'))
    await until(() => bench.server.connections === 0)
    expect(got).toContain('0700000000') // GOAWAY
    expect(held.completed).toBe(false)
    expect(bench.refusals).toMatchObject([
      { status: 400, reason: expect.stringContaining('told so with a GOAWAY') },
    ])
  })

  it('is not seen in a client that waits, whether it answers a PING or not', async () => {
    const timeouts = { header: 0.8, body: 30, keepAlive: 30, write: 30, wholeBody: 0 }
    const bench = await serve({ timeouts })
    const session = client(bench)
    let pings = 0
    session.on('ping', () => pings++)
    const held = http2Get(session, '/held')
    const { reply } = await bench.request('/held')
    const socket = connectSocket(bench.port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = ''
    socket.on('data', (chunk) => (got += chunk.toString('hex')))
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const bytes = frame('04', '00', 0, '') + frame('01', '05', 1, request)
    socket.write(Buffer.from(bytes, 'hex'))
    await until(() => pings > 0 && got.includes('0000080600'))
    // By the end of a connection that says nothing, there were some more looks.
    const silent = connectSocket(bench.port, '127.0.0.1').resume()
    await once(silent, 'close')
    answer(reply, Buffer.from('late'))
    expect((await held).body.toString()).toBe('late')
    expect(bench.server.connections).toBe(2)
    expect(bench.refusals).toEqual([])
  })
})

describe('memory that is held for HTTP/2 clients', () => {
  it('is freed when none is left: who takes nothing is reset', async () => {
    const memory = new MemoryBudget(500_000)
    const bench = await serve({ memory })
    const session = client(bench)
    const stream = session.request({ ':path': '/large' })
    stream.on('error', () => {})
    stream.pause()
    const request = await bench.request('/large')
    request.reply.start(responseHead(200, []))
    data(request.reply, Buffer.alloc(1_000_000))
    await until(() => request.completed !== null)
    expect(memory.held).toBe(0)
    expect(bench.refusals[0]).toMatchObject({
      status: 503,
      reason: expect.stringContaining('there is no memory left'),
    })
    expect((await http2Get(session, '/hello')).ended).toBe(true)
  })

  it('has the heads of open streams in it, which cost a client few bytes', async () => {
    const memory = new MemoryBudget(300_000)
    const bench = await serve({ memory })
    const session = client(bench)
    const open = Array.from({ length: 50 }, (_, n) =>
      session.request({ ':path': `/${n}`, ':method': 'POST', 'x-large': 'a'.repeat(3000) }),
    )
    for (const stream of open) stream.on('error', () => {})
    await until(() => bench.requests.length === 50)
    expect(memory.held).toBeGreaterThan(50 * (3000 + 8 * 1024))
    // More than there may be: those that send nothing are refused.
    await until(() => !memory.over)
    expect(bench.requests.some(({ refusedWith }) => refusedWith === 503)).toBe(true)
    for (const stream of open) stream.close()
    await until(() => memory.held === 0)
    expect((await http2Get(session, '/hello')).ended).toBe(true)
  })
})
