import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { CLIENT, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import type { RequestHandler } from '../../http/exchange.ts'
import { responseField } from '../../http/response-head.ts'
import { Audience } from './audience.ts'
import { FailingApplication } from './failing-application.ts'
import { PAGE_STYLE, PAGE_STYLE_HASH } from './failure-page.ts'

const LOOPBACK = { ...CLIENT, remoteAddress: '127.0.0.1' }
const FAILURE = 'Traceback (most recent call last):\n  File "/x.py", line 1\nValueError: <script>'

const next: RequestHandler = (_head, reply) => ({
  begin: () => reply.refuse(418),
  bodyData: () => {},
  bodyEnd: () => {},
  clientEnded: () => {},
  written: () => {},
  closed: () => {},
})

function answerTo(fields: string, peer = LOOPBACK, networks = ['127.0.0.0/8', '::1']) {
  const failing = new FailingApplication(new Audience(networks))
  failing.failure = FAILURE
  const engine = new ScriptedEngine(peer)
  engine.request(failing.handler(next), `GET / HTTP/1.1\r\n${fields}\r\n\r\n`)
  const { head } = engine
  return {
    said: engine.said.join('\n'),
    status: head?.status,
    type: head === null ? undefined : responseField(head, 'content-type'),
    shows: engine.said.join('').includes('ValueError'),
  }
}

describe('an application that cannot be loaded', () => {
  test('is passed by until there is a failure, and when there is none any more', () => {
    const failing = new FailingApplication(new Audience(['*']))
    const handler = failing.handler(next)
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const status = () => new ScriptedEngine().request(handler, request).head?.status
    expect(status()).toBe(418)
    failing.failure = 'no'
    expect(status()).toBe(500)
    failing.failure = null
    expect(status()).toBe(418)
  })

  test('is a page, with everything escaped', () => {
    const { said, status, type } = answerTo('Host: localhost:8000\r\nAccept: text/html')
    expect(status).toBe(500)
    expect(type).toBe('text/html; charset=utf-8')
    expect(said).toContain('<h1>ValueError: &lt;script&gt;</h1>')
    expect(said).not.toContain('<script>')
  })

  test.each([
    ['nothing', 'text/html; charset=utf-8'],
    ['*/*', 'text/html; charset=utf-8'],
    ['text/plain', 'text/plain; charset=utf-8'],
    ['application/json, text/html;q=0.5', 'application/json; charset=utf-8'],
    ['image/png', 'text/html; charset=utf-8'],
  ])('is of the type that a client asks for: %s', (accept, type) => {
    const field = accept === 'nothing' ? '' : `\r\nAccept: ${accept}`
    expect(answerTo(`Host: localhost${field}`).type).toBe(type)
  })

  test.each([
    ['from this machine', 'Host: localhost:8000', LOOPBACK, true],
    ['by its address', 'Host: [::1]:8000', LOOPBACK, true],
    ['by a local name', 'Host: shop.test', LOOPBACK, true],
    ['from elsewhere', 'Host: localhost', CLIENT, false],
    ['by a unix socket', 'Host: localhost', { ...CLIENT, remoteAddress: '' }, false],
    ['by a name of the Internet', 'Host: rebound.example.com', LOOPBACK, false],
    ['through a proxy', 'Host: localhost\r\nX-Forwarded-For: 192.0.2.1', LOOPBACK, false],
    ['through another', 'Host: localhost\r\nVia: 1.1 a', LOOPBACK, false],
  ])('is shown to who asks %s, or not', (_who, fields, peer, shown) => {
    const answer = answerTo(fields, peer)
    expect(answer.status).toBe(500)
    expect(answer.shows).toBe(shown)
    expect(answerTo(fields, peer, ['*']).shows).toBe(true)
  })

  test('is not shown to a proxy of an old kind, which may add no field', () => {
    const failing = new FailingApplication(new Audience(['127.0.0.0/8']))
    failing.failure = FAILURE
    const engine = new ScriptedEngine(LOOPBACK)
    engine.request(failing.handler(next), 'GET / HTTP/1.0\r\nHost: 127.0.0.1:8000\r\n\r\n')
    expect(engine.head?.status).toBe(500)
    expect(engine.said.join('')).not.toContain('ValueError')
  })

  test('has a style that its policy allows', () => {
    const hash = createHash('sha256').update(PAGE_STYLE).digest('base64')
    expect(PAGE_STYLE_HASH).toBe(`sha256-${hash}`)
  })
})
