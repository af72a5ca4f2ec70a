import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib'
import { describe, expect, it, test } from 'vitest'
import { CLIENT, IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import {
  type Field,
  type ResponseHead,
  responseField,
  responseHead,
} from '../../http/response-head.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import { compress } from './compress.ts'

const TEXT = 'the same words again and again '.repeat(200)
const HTML: Field = ['Content-Type', 'text/html; charset=utf-8']
const span = (text: string) => new Span().set(Buffer.from(text, 'latin1'), 0, text.length)

/** Notes the bytes that a client gets. */
class Client extends ScriptedEngine {
  readonly bytes: Buffer[] = []

  override respond(head: ResponseHead, body: Span): boolean {
    this.bytes.push(Buffer.from(body.view()))
    return super.respond(head, body)
  }

  override start(head: ResponseHead, body?: Span): boolean {
    if (body !== undefined) this.bytes.push(Buffer.from(body.view()))
    return super.start(head, body)
  }

  override data(body: Span): boolean {
    this.bytes.push(Buffer.from(body.view()))
    return super.data(body)
  }

  get received(): Buffer {
    return Buffer.concat(this.bytes)
  }

  field(name: string): string | undefined {
    return this.head === null ? undefined : responseField(this.head, name)
  }

  get how(): string[] {
    return this.said.map((line) => line.split(' ')[0]!)
  }
}

function scene(
  fields: string,
  { method = 'GET', limit = 64 * 1024 * 1024, threshold = 1024 } = {},
) {
  const memory = new MemoryBudget(limit)
  const failures: string[] = []
  const log: string[] = []
  let reply!: Reply
  const handler = compress({
    threshold,
    levels: {},
    memory,
    failed: (text) => failures.push(text),
  })((_head, itsReply) => {
    reply = itsReply
    return {
      begin: () => {},
      bodyData: () => {},
      bodyEnd: () => {},
      clientEnded: () => {},
      written: (bytes) => log.push(`written ${bytes}`),
      closed: (completed) => log.push(`closed ${completed}`),
    }
  })
  const client = new Client(CLIENT)
  client.request(handler, `${method} / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
  return { client, reply, memory, failures, log }
}

const ended = (client: Client) => waitFor('the end', () => client.sink === null)

describe('a whole response', () => {
  test.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('is compressed with %s, and has a length', async (encoding, decompress) => {
    const { client, reply, memory, log } = scene(`Accept-Encoding: ${encoding}\r\n`)
    reply.respond(
      responseHead(200, [HTML, ['ETag', '"x"'], ['Accept-Ranges', 'bytes']]),
      span(TEXT),
    )
    expect(memory.held).toBeGreaterThan(TEXT.length)
    await ended(client)
    expect(decompress(client.received).toString()).toBe(TEXT)
    expect(client.field('content-encoding')).toBe(encoding)
    expect(client.field('content-length')).toBe(String(client.received.length))
    expect(client.field('vary')).toBe('Accept-Encoding')
    expect(client.field('etag')).toBe('W/"x"')
    expect(client.field('accept-ranges')).toBeUndefined()
    expect(memory.held).toBe(0)
    expect(log).toEqual(['closed true'])
  })

  test.each<[string, number, Field[], string]>([
    ['short', 200, [HTML], 'short'],
    ['of a type that is compressed already', 200, [['Content-Type', 'image/png']], TEXT],
    ['without a type', 200, [], TEXT],
    ['compressed already', 200, [HTML, ['Content-Encoding', 'gzip']], TEXT],
    ['not to be changed', 200, [HTML, ['Cache-Control', 'public, no-transform']], TEXT],
    ['a part', 206, [HTML, ['Content-Range', 'bytes 0-9/10']], TEXT],
    ['a stream of events', 200, [['Content-Type', 'text/event-stream']], TEXT],
  ])('stays as it is if it is %s', (_, status, fields, body) => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\n')
    reply.respond(responseHead(status, fields), span(body))
    expect(client.received.toString()).toBe(body)
  })

  test.each(['', 'Accept-Encoding: identity\r\n', 'Accept-Encoding: gzip;q=0\r\n'])(
    'stays as it is for a client with %j, and has Vary',
    (fields) => {
      const { client, reply } = scene(fields)
      reply.respond(responseHead(200, [HTML]), span(TEXT))
      expect(client.received.toString()).toBe(TEXT)
      expect(client.field('vary')).toBe('Accept-Encoding')
      expect(client.field('content-encoding')).toBeUndefined()
    },
  )

  it('stays as it is while memory is full', () => {
    const { client, reply, memory } = scene('Accept-Encoding: gzip\r\n')
    memory.add(memory.limit)
    reply.respond(responseHead(200, [HTML]), span(TEXT))
    expect(client.received.toString()).toBe(TEXT)
  })

  it('of random bytes stays as it is', async () => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\n')
    const body = Array.from({ length: 3000 }, () => String.fromCharCode(Math.random() * 256)).join(
      '',
    )
    reply.respond(responseHead(200, [HTML]), span(body))
    await ended(client)
    expect(client.received.toString('latin1')).toBe(body)
    expect(client.field('content-encoding')).toBeUndefined()
  })

  it('that is shorter than it declares is cut off as without compression', () => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\n')
    reply.respond(responseHead(200, [HTML, ['Content-Length', '99999']], 99999), span(TEXT))
    expect(client.head!.contentLength).toBe(99999)
  })

  it('is not sent if its client has left, and counted until zlib is done with it', async () => {
    const { client, reply, memory } = scene('Accept-Encoding: br\r\n')
    reply.respond(responseHead(200, [HTML]), span(TEXT))
    client.close(false)
    expect(memory.held).toBeGreaterThan(TEXT.length)
    await waitFor('the end of compression', () => memory.held === 0)
    expect(client.said).toEqual([])
  })

  it('to HEAD has the fields of that to GET, without a length', () => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\n', { method: 'HEAD' })
    const head = responseHead(200, [HTML, ['Content-Length', '9000'], ['ETag', '"x"']], 9000)
    reply.respond(head, span(''))
    expect(client.field('content-encoding')).toBe('gzip')
    expect(client.field('content-length')).toBeUndefined()
    expect(client.field('etag')).toBe('W/"x"')
  })

  it('that has not changed has the tag of what the client has', () => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\nIf-None-Match: W/"x"\r\n')
    reply.respond(responseHead(304, [['ETag', '"x"']]), span(''))
    expect(client.field('etag')).toBe('W/"x"')
    expect(client.field('vary')).toBe('Accept-Encoding')
  })
})

describe('a streamed response', () => {
  const gunzipped = (bytes: Buffer) =>
    gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString()

  it('leaves piece by piece, and each can be read at once', async () => {
    const { client, reply, memory, log } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML]))
    expect(client.how).toEqual(['start'])
    reply.data(span('first'))
    await waitFor('the first', () => gunzipped(client.received) === 'first')
    reply.data(span('second'))
    await waitFor('the second', () => gunzipped(client.received) === 'firstsecond')
    expect(memory.held).toBeGreaterThan(100_000)
    reply.finish()
    await ended(client)
    expect(gunzipSync(client.received).toString()).toBe('firstsecond')
    expect(client.field('content-length')).toBeUndefined()
    expect(memory.held).toBe(0)
    expect(log).toEqual(['closed true'])
  })

  it('sends its head with the first piece', async () => {
    const { client, reply } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML]), span('first'))
    expect(client.how).toEqual([])
    await waitFor('the first', () => client.how.length === 1)
    expect(gunzipped(client.received)).toBe('first')
  })

  it('gives the application credit when the compressed bytes have left', async () => {
    const { client, reply, log } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML]), span(TEXT))
    await waitFor('the first', () => client.how.length === 1)
    const first = client.received.length
    reply.data(span('second'))
    await waitFor('the second', () => client.how.length === 2)
    const second = client.received.length - first
    client.sink!.written(first - 1)
    expect(log).toEqual([])
    client.sink!.written(1)
    expect(log).toEqual([`written ${TEXT.length}`])
    client.sink!.written(second)
    expect(log).toEqual([`written ${TEXT.length}`, 'written 6'])
  })

  it('is cut off if it is shorter than it declares', async () => {
    const { client, reply, log } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML], 5000), span('only this'))
    reply.finish()
    await ended(client)
    expect(client.how).toEqual(['start', 'abort'])
    expect(log).toEqual(['closed false'])
  })

  it('ends where it declares', async () => {
    const { client, reply, log } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML], 2000), span('x'.repeat(1990)))
    reply.data(span('y'.repeat(20)))
    reply.finish()
    await ended(client)
    expect(gunzipSync(client.received).toString()).toBe(`${'x'.repeat(1990)}${'y'.repeat(10)}`)
    expect(log).toContain('written 10')
  })

  it('is aborted with what it has sent', async () => {
    const { client, reply, memory } = scene('Accept-Encoding: gzip\r\n')
    reply.start(responseHead(200, [HTML]), span('first'))
    reply.abort()
    expect(client.how).toEqual(['start', 'abort'])
    expect(memory.held).toBe(0)
  })

  it('is not compressed while half of the memory is used', () => {
    const { client, reply, memory } = scene('Accept-Encoding: gzip\r\n')
    memory.add(memory.limit / 2)
    reply.start(responseHead(200, [HTML]), span(TEXT))
    expect(client.received.toString()).toBe(TEXT)
  })

  it('of many hostile clients takes a bounded part of the memory', async () => {
    const memory = new MemoryBudget(16 * 1024 * 1024)
    const handler = compress({ threshold: 0, levels: {}, memory, failed: () => {} })
    const clients = Array.from({ length: 100 }, () => {
      const client = new Client(CLIENT)
      let reply!: Reply
      const one = handler((_head, itsReply) => {
        reply = itsReply
        return IGNORING
      })
      client.request(one, 'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n')
      reply.start(responseHead(200, [HTML]), span('first'))
      return client
    })
    expect(memory.held).toBeLessThan(memory.limit)
    await waitFor('all heads', () => clients.every(({ head }) => head !== null))
    const compressed = clients.filter((client) => client.field('content-encoding') === 'br')
    expect(compressed.length).toBeGreaterThan(3)
    expect(compressed.length).toBeLessThan(20)
    for (const client of clients) client.close(false)
    expect(memory.held).toBe(0)
  })
})

test('a level is taken', async () => {
  const memory = new MemoryBudget(64 * 1024 * 1024)
  const size = async (level: number) => {
    const client = new Client(CLIENT)
    let reply!: Reply
    const handler = compress({ threshold: 0, levels: { gzip: level }, memory, failed: () => {} })
    const sink = IGNORING
    client.request(
      handler((_head, itsReply) => {
        reply = itsReply
        return sink
      }),
      'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n',
    )
    const words = Array.from({ length: 9000 }, (_, i) => `word${(i * 7919) % 997}`).join(' ')
    reply.respond(responseHead(200, [HTML]), span(words))
    await ended(client)
    return client.received.length
  }
  expect(await size(9)).toBeLessThan(await size(1))
})
