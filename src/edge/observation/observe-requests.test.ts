import { describe, expect, it } from 'vitest'
import { ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { Span } from '../../bytes/span.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import { responseHead } from '../../http/response-head.ts'
import type { AccessRecord } from '../../observe/access-record.ts'
import { type RequestBegun, RequestEvents } from '../../observe/request-events.ts'
import { observeRequests } from './observe-requests.ts'

const GET = 'GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\n\r\n'

function observed() {
  const events = new RequestEvents(() => {})
  const calls: string[] = []
  const replies: Reply[] = []
  const sinks: RequestSink[] = []
  const handler = observeRequests(events)((_head, reply) => {
    replies.push(reply)
    const sink: RequestSink = {
      begin: () => calls.push('begin'),
      bodyData: (chunk) => calls.push(`bodyData ${chunk}`),
      bodyEnd: () => calls.push('bodyEnd'),
      clientEnded: () => calls.push('clientEnded'),
      written: (bytes) => calls.push(`written ${bytes}`),
      closed: (completed, refusedWith) => calls.push(`closed ${completed} ${refusedWith}`),
    }
    sinks.push(sink)
    return sink
  })
  const ended: AccessRecord[] = []
  const engine = new ScriptedEngine()
  return { events, calls, replies, sinks, handler, ended, engine }
}

const span = (text: string) => new Span().set(Buffer.from(text), 0, text.length)

describe('without a listener', () => {
  it('hands the engine’s reply and the handler’s sink through', () => {
    const { handler, engine, replies, sinks, events } = observed()
    events.requestRefused.subscribe(() => {})
    expect(engine.begin(handler, GET)).toBe(sinks[0])
    expect(replies[0]).toBe(engine)
  })

  it('does not report the end of a request that began before', () => {
    const { handler, engine, events, ended } = observed()
    engine.begin(handler, GET)
    events.requestEnded.subscribe((record) => ended.push(record))
    engine.close(true)
    expect(ended).toEqual([])
  })
})

describe('with a listener', () => {
  it('publishes the beginning and the end of a request, with what it was answered', () => {
    const { handler, engine, replies, events, ended } = observed()
    const begun: RequestBegun[] = []
    events.requestBegun.subscribe((event) => begun.push(event))
    events.requestEnded.subscribe((record) => ended.push(record))
    engine.begin(handler, GET)
    expect(begun).toMatchObject([{ method: 'GET', target: '/a?b', remoteAddress: '192.0.2.7' }])
    expect(ended).toEqual([])
    replies[0]!.respond(responseHead(201, [['X-Mine', 'y']]), span('hello'))
    expect(ended).toHaveLength(1)
    const record = ended[0]!
    expect(record).toMatchObject({
      remoteAddress: '192.0.2.7',
      method: 'GET',
      target: '/a?b',
      protocol: 'HTTP/1.1',
      requestLine: 'GET /a?b HTTP/1.1',
      status: 201,
      bytes: 5,
      startedAt: begun[0]!.startedAt,
    })
    expect(record.header('user-agent')).toBe('test')
    expect(record.responseHeader?.('x-mine')).toBe('y')
    expect(record.seconds).toBeGreaterThanOrEqual(0)
    expect(Math.abs(record.startedAt - Date.now())).toBeLessThan(60_000)
  })

  it('passes everything on in both directions', () => {
    const { handler, engine, replies, calls, events } = observed()
    events.requestEnded.subscribe(() => {})
    const sink = engine.begin(handler, GET)
    sink.bodyData(Buffer.from('x'))
    sink.bodyEnd()
    sink.clientEnded()
    sink.written(3)
    const reply = replies[0]!
    expect([reply.peer, reply.bytesSent, reply.taken]).toEqual([engine.peer, 0, 0])
    reply.wantBody()
    reply.pauseBody()
    reply.resumeBody()
    reply.start(responseHead(200, []), span('a'))
    reply.data(span('b'))
    reply.abort(true)
    expect(engine.said).toEqual([
      'want',
      'pause',
      'resume',
      'start 200 a',
      'data b',
      'abort at once',
    ])
    expect(calls).toEqual([
      'begin',
      'bodyData x',
      'bodyEnd',
      'clientEnded',
      'written 3',
      'closed false undefined',
    ])
  })

  it.each([
    ['a client that left', false, undefined, 499],
    ['a request that the engine refused', true, 408, 408],
    ['a response that is missing', true, undefined, 500],
  ])('has a status for %s', (_, completed, refusedWith, status) => {
    const { handler, engine, events, ended } = observed()
    events.requestEnded.subscribe((record) => ended.push(record))
    engine.begin(handler, GET)
    engine.close(completed, refusedWith)
    expect(ended).toMatchObject([{ status, bytes: 0 }])
    expect(ended[0]!.responseHeader?.('x')).toBeUndefined()
  })

  it('has the status and the fields of a small answer', () => {
    const { handler, engine, replies, events, ended } = observed()
    events.requestEnded.subscribe((record) => ended.push(record))
    engine.begin(handler, GET)
    replies[0]!.refuse(503, { close: true, fields: [['Retry-After', '1']] })
    expect(engine.said).toEqual(['refuse 503 close'])
    expect(ended[0]!.status).toBe(503)
    expect(ended[0]!.responseHeader?.('retry-after')).toBe('1')
  })
})
