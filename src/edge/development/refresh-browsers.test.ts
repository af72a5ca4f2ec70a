import { describe, expect, test } from 'vitest'
import { CLIENT, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { Span } from '../../bytes/span.ts'
import type { Reply, RequestHandler } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, responseField, responseHead } from '../../http/response-head.ts'
import { Audience } from './audience.ts'
import { BrowserStreams } from './browser-streams.ts'
import { refreshBrowsers } from './refresh-browsers.ts'
import { ReplacedApplication } from './replaced-application.ts'

const LOOPBACK = { ...CLIENT, remoteAddress: '127.0.0.1' }
const ELEMENT = '\n<script src="/__monoceros/reload.js?v=7" async></script>\n'
const PAGE = 'Host: localhost\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, br'
const bytes = (text: string) => {
  const buffer = Buffer.from(text)
  return new Span().set(buffer, 0, buffer.length)
}

/** A handler that answers at once, and what it was told. */
function answering(answer: (reply: Reply) => void) {
  const told: string[] = []
  let head: RequestHead | null = null
  const handler: RequestHandler = (its, reply) => {
    head = its
    return {
      begin: () => answer(reply),
      bodyData: () => {},
      bodyEnd: () => {},
      clientEnded: () => {},
      written: (count) => told.push(`written ${count}`),
      closed: () => told.push('closed'),
    }
  }
  return { handler, told, encoding: () => head?.get('accept-encoding') }
}

function exchange(
  answer: (reply: Reply) => void,
  { method = 'GET', fields = PAGE, peer = LOOPBACK } = {},
) {
  const engine = new ScriptedEngine(peer)
  const next = answering(answer)
  const streams = new BrowserStreams(7)
  const handler = refreshBrowsers(new Audience(['127.0.0.0/8']), streams)(next.handler)
  const sink = engine.begin(handler, `${method} / HTTP/1.1\r\n${fields}\r\n\r\n`)
  return { engine, next, sink }
}

const html = (length = -1, more: readonly Field[] = [], status = 200) =>
  responseHead(
    status,
    [
      ['Content-Type', 'text/html'],
      ...more,
      ...(length < 0 ? [] : ([['Content-Length', String(length)]] as const)),
    ],
    length,
  )
const whole =
  (more: readonly Field[] = [], status = 200) =>
  (reply: Reply) =>
    void reply.respond(html(4, more, status), bytes('page'))

describe('a page', () => {
  test('gets the script after all else, and its length', () => {
    const { engine } = exchange(whole())
    expect(engine.said).toEqual([`respond 200 page${ELEMENT}`.trimEnd()])
    expect(engine.head?.contentLength).toBe(4 + ELEMENT.length)
    expect(responseField(engine.head!, 'content-length')).toBe(String(4 + ELEMENT.length))
  })

  test('that is streamed is not held up', () => {
    let reply!: Reply
    const { engine } = exchange((its) => {
      reply = its
      its.start(html(), bytes('a'))
    })
    expect(engine.said).toEqual(['start 200 a'])
    reply.data(bytes('b'))
    reply.finish()
    expect(engine.said.slice(1)).toEqual(['data b', `data ${ELEMENT}`, 'finish'])
    expect(engine.head?.contentLength).toBe(-1)
  })

  test('is not told of the bytes of the script', () => {
    let reply!: Reply
    const { sink, next } = exchange((its) => {
      reply = its
      its.start(html(), bytes('abc'))
    })
    sink.written(1)
    reply.finish()
    sink.written(2 + ELEMENT.length)
    expect(next.told).toEqual(['written 1', 'closed', 'written 2'])
  })

  test('is not compressed, nor kept by a cache', () => {
    const kept: Field[] = [
      ['ETag', '"1"'],
      ['Last-Modified', 'yesterday'],
      ['Cache-Control', 'max-age=60'],
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ]
    const { engine, next } = exchange(whole(kept))
    expect(next.encoding()).toBe('')
    expect(engine.head?.fields.map(([name, value]) => `${name}: ${value}`)).toEqual([
      'Content-Type: text/html',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Cache-Control: no-store',
      `Content-Length: ${4 + ELEMENT.length}`,
    ])
  })

  test('uses the nonce of its policy', () => {
    const policy = "default-src 'self'; script-src 'nonce-abc+/=' 'strict-dynamic'"
    const { engine } = exchange(whole([['Content-Security-Policy', policy]]))
    expect(engine.said[0]).toContain('?v=7" nonce="abc+/=" async>')
    expect(responseField(engine.head!, 'content-security-policy')).toBe(policy)
  })

  test('has the length that GET has in the answer to HEAD', () => {
    const declared = exchange((reply) => void reply.respond(html(4), bytes('')), { method: 'HEAD' })
    expect(declared.engine.head?.contentLength).toBe(4 + ELEMENT.length)
    const unknown = exchange((reply) => void reply.respond(html(), bytes('')), { method: 'HEAD' })
    expect(unknown.engine.head?.contentLength).toBe(-1)
  })

  test.each([
    ['is sent with another coding', whole([['Content-Encoding', 'gzip']])],
    ['is to be saved', whole([['Content-Disposition', 'attachment; filename=a']])],
    ['is a part of one', whole([], 206)],
    ['is a redirect', whole([], 302)],
    [
      'is not HTML',
      (reply: Reply) =>
        void reply.respond(responseHead(200, [['Content-Type', 'application/json']]), bytes('{}')),
    ],
  ])('stays as it is if it %s', (_what, answer) => {
    const { engine } = exchange(answer)
    expect(engine.said.join('')).not.toContain('script')
    expect(engine.head?.fields.some(([, value]) => value === 'no-store')).toBe(false)
  })

  test.each([
    ['fetch', 'Host: localhost\r\nSec-Fetch-Dest: empty\r\nAccept: text/html', {}],
    ['htmx', 'Host: localhost\r\nAccept: text/html\r\nHX-Request: true', {}],
    ['a program', 'Host: localhost\r\nAccept: */*', {}],
    ['a form', PAGE, { method: 'POST' }],
    ['another machine', PAGE, { peer: CLIENT }],
    ['another site', PAGE.replace('localhost', 'a.example.com'), {}],
  ])('stays as it is if %s asks for it', (_who, fields, more) => {
    const { engine, next } = exchange(whole(), { fields, ...more })
    expect(engine.said).toEqual(['respond 200 page'])
    expect(next.encoding()).not.toBe('')
  })
})

describe('the stream of events', () => {
  function opened() {
    const streams = new BrowserStreams(7)
    const engine = new ScriptedEngine(LOOPBACK)
    const next = answering((reply) => reply.refuse(404))
    const handler = refreshBrowsers(new Audience(['127.0.0.0/8']), streams)(next.handler)
    const request = 'GET /__monoceros/reload HTTP/1.1\r\nHost: localhost\r\n\r\n'
    return { streams, engine, handler, sink: engine.begin(handler, request) }
  }

  test('tells the version at once, and each later one', () => {
    const { streams, engine } = opened()
    streams.refreshPages(8)
    streams.refreshStyle(9, 'a.css')
    expect(engine.said).toEqual([
      'start 200',
      'data retry: 250\nevent: version\ndata: 7\n\n',
      'data event: version\ndata: 8\n\n',
      'data event: style\ndata: {"version":9,"file":"a.css"}\n\n',
    ])
  })

  test('ends with the server, and says whether another one has taken over', () => {
    const { streams, engine } = opened()
    streams.end(true)
    expect(engine.said.slice(2)).toEqual(['data event: replaced\ndata:\n\n', 'finish'])
    streams.refreshPages(8)
    expect(engine.said).toHaveLength(4)
  })

  test('ends when the browser leaves', () => {
    const { sink, engine } = opened()
    sink.clientEnded()
    expect(engine.said.at(-1)).toBe('finish')
  })

  test('is one of a limited number', () => {
    const { streams, handler } = opened()
    const request = 'GET /__monoceros/reload HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const engines = Array.from({ length: 100 }, () => new ScriptedEngine(LOOPBACK))
    for (const engine of engines) engine.begin(handler, request)
    expect(engines.at(-2)?.said[0]).toBe('start 200')
    expect(engines.at(-1)?.said).toEqual(['refuse 503 close'])
    streams.end(false)
  })

  test('has its script beside it', () => {
    const { handler } = opened()
    const engine = new ScriptedEngine(LOOPBACK)
    engine.request(handler, 'GET /__monoceros/reload.js?v=3 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(engine.head?.status).toBe(200)
    expect(() => new Function(engine.said[1]!.replace('respond 200', ''))).not.toThrow()
  })
})

test('browsers are sent to the new application, and programs get an answer', () => {
  const old = new ReplacedApplication()
  const next = answering((reply) => reply.refuse(404))
  const handler = old.handler(next.handler)
  const ask = (field: string, target = '/a?b') =>
    new ScriptedEngine().request(handler, `GET ${target} HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`)
      .head
  expect(ask('Sec-Fetch-Mode: navigate')?.status).toBe(404)
  old.replaced = true
  const head = ask('Sec-Fetch-Mode: navigate')
  expect(head?.status).toBe(307)
  expect(responseField(head!, 'location')).toBe('/a?b')
  expect(responseField(ask('Sec-Fetch-Mode: navigate', '//evil/')!, 'location')).toBe('/evil/')
  expect(ask('Accept: */*')?.status).toBe(404)
})
